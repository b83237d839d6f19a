// Package proof is the test bed of [stats.Paired]: sessions on simulated and recorded
// machines, decided by the engine, by its strongest rival and by what people use
// today, with the truth known. [Run] fills one [Table] with how often each was right
// and how many runs it took.
//
// Machines are five models of noise (noise.go) and replays of run times that were
// measured on a real one (testdata). A session never knows more than a harness would:
// it asks for runs, one after another, of the old program or of the new one, which is
// the same program with its time multiplied. So an effect is constant here and nothing
// carries over from run to run; real processes are for perf/experiment to prove.
//
// # Rivals
//
//   - Wilcoxon's signed-rank test on the same pairs, at ten looks with a constant
//     nominal level (sequential.go). It is honest where pairs are independent.
//   - Blocks of 30 runs and Welch's test at 5 %: what hyperfine's
//     scripts/welch_ttest.py does with two of its exports.
//   - Blocks of 30 and the Mann-Whitney test at 5 %: benchstat as it is used.
//   - The same, run again up to five times until it is significant: what its
//     documentation warns of, and what a red build invites.
//   - Blocks of 30 and a pooled 95 % interval that lies beyond ±1 %: poop's rule, and
//     with a bootstrap in the place of the formula Criterion's.
//   - Wilcoxon's test on randomised pairs at 1 %, looked at after each pair: honest
//     pairs, spoilt by looking.
//
// Welch, Mann and Whitney are go-moremath's, which are benchstat's own.
package proof
