package measure_test

import (
	"context"
	"fmt"
	"os"

	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

func Example() {
	exe, err := os.Executable()
	if err != nil {
		fmt.Println(err)
		return
	}
	// This test binary, which plays a compiler that finds an error.
	cmd := measure.Command{
		Args: []string{exe, "1", "parse main.rs", "error: expected `;`"},
		Env:  append(os.Environ(), childEnv+"=exit"),
	}
	run, err := cmd.Run(context.Background())
	if err != nil {
		fmt.Println(err) // it could not be started
		return
	}
	fmt.Println("took time:", run.Wall > 0)
	fmt.Println("exit status:", run.ExitCode)
	fmt.Printf("%s", run.Output)
	fmt.Println("failed:", run.Err() != nil)
	// Output:
	// took time: true
	// exit status: 1
	// parse main.rs
	// error: expected `;`
	// failed: true
}
