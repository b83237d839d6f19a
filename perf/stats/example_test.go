package stats_test

import (
	"fmt"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
)

// A benchmark that looks after every run and stops at the first answer.
func ExampleJudge() {
	limits := stats.Limits{Quantile: 0.5, Confidence: 0.95, Target: 2, Critical: 5, Better: perf.Lower, Unit: perf.Second}
	runs := []float64{1.21, 1.18, 1.35, 1.19, 1.22, 1.20, 1.24}

	var s perf.Sample
	for _, wall := range runs {
		s = append(s, wall)
		j := stats.Judge(limits, s, stats.SequentialBounds(s, limits.Quantile, limits.Confidence))
		if j.State != perf.Undecided {
			fmt.Printf("%s after %d runs: median %.3f s, at most %.2f s\n", j.State, j.N, j.Estimate, j.High)
			break
		}
		fmt.Println(j.Reason)
	}
	// Output:
	// 1 value cannot bound the median from above: needs 6
	// 2 values cannot bound the median from above: needs 6
	// 3 values cannot bound the median from above: needs 6
	// 4 values cannot bound the median from above: needs 6
	// 5 values cannot bound the median from above: needs 6
	// MET after 6 runs: median 1.205 s, at most 1.35 s
}

func ExampleFixedBounds() {
	latencies := make(perf.Sample, 59) // planned before the first run
	for i := range latencies {
		latencies[i] = 0.200 + 0.001*float64(i*37%59)
	}
	b := stats.FixedBounds(latencies, 0.95, 0.95)
	fmt.Printf("p95 is about %.3f s and at most %.3f s\n", b.Estimate, b.High)

	few := stats.FixedBounds(latencies[:20], 0.95, 0.95)
	fmt.Printf("20 runs: bound above %v, needs %d\n", few.HasHigh, few.NeededHigh)
	// Output:
	// p95 is about 0.255 s and at most 0.258 s
	// 20 runs: bound above false, needs 59
}

func ExampleSummarize() {
	sum := stats.Summarize(perf.Sample{0.103, 0.101, 0.099, 0.102, 0.100, 0.104, 0.098}, 0.95)
	fmt.Printf("median %.3f s, %.3f to %.3f at %.1f %%\n", sum.Center, sum.Lo, sum.Hi, 100*sum.Confidence)
	// Output: median 0.101 s, 0.098 to 0.104 at 98.4 %
}

func ExampleJudgeOneShot() {
	limits := stats.Limits{Target: 120, Critical: 180, Unit: perf.Second}
	j, again := stats.JudgeOneShot(limits, perf.Sample{200})
	fmt.Println(j.State, again, "-", j.Reason)
	j, again = stats.JudgeOneShot(limits, perf.Sample{200, 195})
	fmt.Println(j.State, again, "-", j.Reason)
	// Output:
	// UNDECIDED true - observed once over the critical 180 s (1 run, no interval): a second run decides
	// BREACHED false - over the critical 180 s twice in a row (2 runs, no interval)
}

func ExampleCompareUnpaired() {
	baseline := perf.Sample{1.00, 1.02, 0.99, 1.01, 1.03, 0.98}
	today := perf.Sample{1.31, 1.29, 1.33, 1.30, 1.28, 1.32}
	c := stats.CompareUnpaired(baseline, today, perf.Wall, stats.UnpairedAlpha, stats.UnpairedMinEffect)
	fmt.Printf("%s: %.2f times the old wall time (%.2f to %.2f)\n", c.Verdict, *c.Ratio, *c.Low, *c.High)
	// Output: SLOWER: 1.30 times the old wall time (1.25 to 1.34)
}

// A comparison that looks after every pair and stops at the first answer. In a real one
// a coin decides which arm of a pair runs first.
func ExamplePaired() {
	p, err := stats.NewPaired(stats.PairedOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	noise := []float64{1.000, 1.004, 0.997, 1.002, 0.999, 1.001, 1.006, 0.998, 1.003, 0.996, 1.005, 1.000}
	for i := range noise {
		older, newer := 0.017*noise[i], 0.017*1.05*noise[len(noise)-1-i]
		if err := p.Add(older, newer); err != nil {
			fmt.Println(err)
			return
		}
		if v := p.Verdict(); v != perf.VerdictUnsure {
			low, high := p.Interval()
			fmt.Printf("%s after %d pairs: %.3f times as long (%.3f to %.3f)\n", v, p.Pairs(), p.Estimate(), low, high)
			return
		}
	}
	fmt.Println(p.Comparison(perf.CPU).Reason)
	// Output: SLOWER after 10 pairs: 1.050 times as long (1.044 to 1.056)
}

func ExampleEBH() {
	// Five workloads, of which two stand out.
	rejected, threshold := stats.EBH([]float64{0.4, 310, 1.2, 55, 3}, 0.05)
	fmt.Println(rejected, threshold)
	// Output: [false true false true false] 50
}

func ExampleChangePoints() {
	history := perf.Sample{1.00, 1.01, 0.99, 1.00, 1.02, 0.98, 1.00, 1.01, 0.99, 1.01, 1.00, 0.98,
		1.10, 1.12, 1.11, 1.09, 1.10, 1.11, 1.12, 1.08, 1.10, 1.11, 1.09, 1.10}
	found, err := stats.ChangePoints(history, stats.ChangeOptions{})
	for _, c := range found {
		fmt.Printf("from point %d on: %.2f, was %.2f\n", c.Index, c.After, c.Before)
	}
	fmt.Println(err)
	// Output:
	// from point 12 on: 1.10, was 1.00
	// <nil>
}
