//go:build mage

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf/stats/proof"
)

// Proof proves the verdict engine on simulated and recorded machines, in a few minutes.
//
// It prints how often the engine is right and how many runs it takes, beside a
// group-sequential test and what people use today, and fails if a floor is broken.
//
// Examples:
//
//	go tool mage proof
//	go tool mage proof -trials=20000 -seed=7
//
//mage:multiline
func Proof(ctx context.Context,
	trials *int, /* sessions in each cell of the table; default 10000 */
	seed *int, /* another seed, another table; default 0 */
) error {
	var o proof.Options
	if trials != nil {
		o.Trials = *trials
	}
	if seed != nil {
		o.Seed = uint64(*seed)
	}
	table, err := proof.Run(ctx, o)
	if err != nil {
		return err
	}
	fmt.Print(table)
	if broken := table.Broken(); len(broken) > 0 {
		return fmt.Errorf("the engine breaks its floors:\n  %s", strings.Join(broken, "\n  "))
	}
	fmt.Println("\nAll floors are kept.")
	return nil
}

// ProofOnProcesses repeats the proof with a real command, while another loads the other core.
//
// It compares a command that computes for 17 ms with itself and with one that is 2 % slower, and
// one whose work varies by 30 % at random with itself, counts the answers beside those
// of what people use today, and fails if there are too many wrong ones. At full size it
// takes about an hour.
//
// Examples:
//
//	go tool mage proofOnProcesses -same=50 -slower=20
//
//mage:multiline
func ProofOnProcesses(ctx context.Context,
	same *int, /* comparisons of the command with itself; default 500 */
	slower *int, /* comparisons with one that is 2 % slower; default 100 */
) error {
	sessions := []int{500, 100}
	for i, p := range []*int{same, slower} {
		if p != nil {
			sessions[i] = *p
		}
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout=24h", "-run=^TestProofOnProcesses$", "-v", "./perf/experiment")
	cmd.Env = append(os.Environ(), fmt.Sprintf("PERF_PROOF_SESSIONS=%d,%d", sessions[0], sessions[1]))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the proof on processes: %w", err)
	}
	return nil
}
