package measure_test

import (
	"context"
	"fmt"
	"os"

	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

func ExampleCommand_RunMemory() {
	exe, err := os.Executable()
	if err != nil {
		fmt.Println(err)
		return
	}
	// This test binary, which plays a program that takes 64 MiB.
	cmd := measure.Command{Args: []string{exe, "64"}, Env: append(os.Environ(), childEnv+"=touch")}
	mem, err := cmd.RunMemory(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	if !mem.HasPeakBound {
		fmt.Println("no bound:", mem.Reason)
		return
	}
	fmt.Println("at least 64 MiB:", mem.PeakBound >= 64<<20)
	fmt.Println("in order:", mem.Peak <= mem.PeakRSS && mem.PeakRSS <= mem.PeakBound)
	// Output:
	// at least 64 MiB: true
	// in order: true
}
