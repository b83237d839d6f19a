//go:build mage

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf/stats/proof"
)

// Proof proves the verdict engine on simulated and recorded machines, in about a minute.
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
	trials *int, /* sessions in each cell of the table; default 4000 */
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
