// Command clnrm stands in for clnrm in the tests of the targets: it does what the
// suite of clnrm asks of it, in a millisecond.
package main

import (
	"fmt"
	"os"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/clnrmtest"
)

func main() {
	if len(os.Args) < 2 {
		os.Exit(2)
	}
	switch os.Args[1] {
	case "--help":
		fmt.Println("usage: clnrm")
	case "self-test":
		fmt.Println("Framework Self-Test Results:\nTotal: 3 tests, 3 passed, 0 failed")
	case "validate":
		for _, name := range os.Args[2:] {
			if _, err := os.ReadFile(name); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	case "run":
		os.Exit(clnrmtest.Main(os.Getenv(clnrmtest.Env), os.Args[1:], os.Stdout))
	default:
		os.Exit(2)
	}
}
