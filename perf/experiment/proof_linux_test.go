package experiment

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// proofEnv asks for the proof on real processes: how many comparisons of a command with
// itself, and how many with one that is 2 % slower, as 500,100.
const proofEnv = "PERF_PROOF_SESSIONS"

// proofWork is how long the command of the proof computes.
const proofWork = 17 * time.Millisecond

// proof is the world of the proof: the command, and a quiet CPU to run it on while
// something else keeps the other one busy.
type proof struct {
	t      *testing.T
	hashes float64
	more   float64 // hashes that add 1 % to the CPU time of the whole command
	seed   uint64
}

// TestProofOnProcesses repeats what the verdicts promise with a real command, of which the
// work of one side is changed, and prints a table. It is no test of every day: it takes
// the time of as many comparisons as it is told to make.
func TestProofOnProcesses(t *testing.T) {
	sizes := os.Getenv(proofEnv)
	if sizes == "" {
		t.Skip("takes the time of many comparisons: go tool mage proofOnProcesses runs it")
	}
	var same, slower int
	if _, err := fmt.Sscanf(sizes, "%d,%d", &same, &slower); err != nil || same < 1 || slower < 1 {
		t.Fatalf("%s=%s: two numbers of sessions, as 500,100", proofEnv, sizes)
	}
	p := &proof{t: t, hashes: proofHashes()}
	p.burn()
	p.calibrate()
	machine, _ := measure.Machine(t.Context())
	fmt.Printf("a command that computes for %s on one thread, gated by CPU time; the other core is loaded\non %s, %d cores, %s\n\n", proofWork, machine.CPU, machine.Cores, machine.Virtualisation)
	fmt.Printf("%-42s %8s %7s %7s %10s %10s %8s %10s %10s\n", "", "sessions", "SLOWER", "FASTER", "NO CHANGE", "UNDECIDED", "INVALID", "mean runs", "time")
	itself := p.row("against itself", same, 2*time.Minute, 1, 0)
	two := p.row("2 % slower", slower, 2*time.Minute, 1.02, 0)
	// Work that varies so much takes minutes to be told to be the same; whether it is called
	// different shows in any time.
	varied := min(same, 50)
	noisy := p.row("work varies by 30 %, against itself, 10 s", varied, 10*time.Second, 1, 0.3)
	p.customs("blocks of 30 runs, wall, against itself:", max(same/10, 1), 0)
	p.customs("the same with work that varies by 30 %:", varied, 0.3)
	// One in a hundred may alarm; the rest is a room of about three standard deviations.
	p.atMost("alarms against itself", itself[perf.Slower]+itself[perf.Faster], 0.012, same)
	p.atMost("against itself without NO CHANGE", same-itself[perf.NoChange], 0.05, same)
	p.atMost("2 % slower that was not seen", slower-two[perf.Slower], 0.05, slower)
	p.atMost("2 % slower called NO CHANGE", two[perf.NoChange], 0.03, slower)
	p.atMost("alarms with work that varies", noisy[perf.Slower]+noisy[perf.Faster], 0.012, varied)
}

// atMost fails if more than a share of n came out, rounded up.
func (p *proof) atMost(what string, got int, share float64, n int) {
	if most := int(math.Ceil(share * float64(n))); got > most {
		p.t.Errorf("%s: %d of %d, and at most %d may be", what, got, n, most)
	}
}

// proofHashes is how many hashes take as long as the command is to take.
func proofHashes() float64 {
	least := time.Hour
	for range 5 {
		began := time.Now()
		playHashes([]string{"20000"})
		least = min(least, time.Since(began))
	}
	return 20_000 * float64(proofWork) / float64(least)
}

// calibrate finds out how many hashes add 1 % to the command, of which the start of a
// process is a part that no hash makes longer.
func (p *proof) calibrate() {
	seat, err := measure.TakeSeat(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	defer seat.Release()
	p.more = p.hashes / 100 // for the two arms here alone
	cpu := func(factor float64) float64 {
		arm, s := p.arm("calibrate", factor, 0), perf.Sample(nil)
		for range 31 {
			o, err := arm.Run(p.t.Context(), Variation{CPUs: []int{seat.CPU}})
			if err != nil {
				p.t.Fatal(err)
			}
			v, _ := o.value(perf.CPU)
			s = append(s, v)
		}
		return stats.Median(s)
	}
	once, twice := cpu(1), cpu(2)
	p.more = once / (twice - once) * p.hashes / 100
}

// burn keeps a core busy until the test ends.
func (p *proof) burn() {
	exe, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"=burn", "GOMAXPROCS=1")
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
}

// arm is the command, with so much work and so much of it at random.
func (p *proof) arm(ref string, factor, varies float64) Arm {
	args := []string{fmt.Sprintf("%.0f", p.hashes+100*(factor-1)*p.more)}
	if varies > 0 {
		args = append(args, fmt.Sprint(varies))
	}
	c := play(p.t, "hash", args...)
	c.Env = append(c.Env, "GOMAXPROCS=1")
	step := suite.Step{Wanted: true, Workload: suite.Workload{Name: ref, Command: c}}
	return Processes{Work: p.t.TempDir()}.Arm(ref, step, OldSide, nil)
}

// row makes sessions, each within a budget, and prints how they ended.
func (p *proof) row(name string, sessions int, budget time.Duration, factor, varies float64) map[perf.Verdict]int {
	verdicts, runs, began := map[perf.Verdict]int{}, 0, time.Now()
	older, newer := p.arm("old", 1, varies), p.arm("new", factor, varies)
	for range sessions {
		p.seed++
		r := new(perf.Result)
		pairing := Pairing{Workload: name, Old: older, New: newer, Gate: perf.CPU, GateReason: "it computes", Budget: budget}
		if err := (Comparer{Seed: p.seed, Seat: measure.TakeSeat}).Run(p.t.Context(), [][]Pairing{{pairing}}, r); err != nil {
			p.t.Fatal(err)
		}
		c := gated(r)[0]
		verdicts[c.Verdict]++
		runs += 2 * c.Pairs
	}
	fmt.Printf("%-42s %8d %7d %7d %10d %10d %8d %10.1f %10s\n", name, sessions, verdicts[perf.Slower], verdicts[perf.Faster], verdicts[perf.NoChange], verdicts[perf.VerdictUnsure], verdicts[perf.Invalid],
		float64(runs)/float64(sessions), time.Since(began).Round(time.Second))
	return verdicts
}

// customRules are what people decide by, on blocks of runs: all of one side, then all of
// the other.
var customRules = []struct {
	name   string
	alarms func(a, b perf.Sample) bool
}{
	{"  Welch's test at 5 %", func(a, b perf.Sample) bool { return math.Abs(welch(a, b)) > 2 }},
	{"  Mann and Whitney's test at 5 %", func(a, b perf.Sample) bool {
		c := stats.CompareUnpaired(a, b, perf.Wall, 0.05, 0)
		return c.Verdict == perf.Slower || c.Verdict == perf.Faster
	}},
	{"  medians more than 1 % apart", func(a, b perf.Sample) bool { return math.Abs(stats.Median(b)/stats.Median(a)-1) > 0.01 }},
}

// customs counts the false alarms of the customs, on runs of one command.
func (p *proof) customs(name string, sessions int, varies float64) {
	arm, alarms, began := p.arm("old", 1, varies), make([]int, len(customRules)), time.Now()
	for range sessions {
		var blocks [2]perf.Sample
		for side := range blocks {
			for range 30 {
				o, err := arm.Run(context.WithoutCancel(p.t.Context()), Variation{})
				if err != nil {
					p.t.Fatal(err)
				}
				blocks[side] = append(blocks[side], o.Wall.Seconds())
			}
		}
		for i, rule := range customRules {
			if rule.alarms(blocks[0], blocks[1]) {
				alarms[i]++
			}
		}
	}
	fmt.Printf("%-109s %10s\n", name, time.Since(began).Round(time.Second))
	for i, rule := range customRules {
		fmt.Printf("%-42s %8d  alarms: %d (%.0f %%)\n", rule.name, sessions, alarms[i], 100*float64(alarms[i])/float64(sessions))
	}
}

// welch is Welch's statistic.
func welch(a, b perf.Sample) float64 {
	moments := func(s perf.Sample) (mean, variance float64) {
		for _, v := range s {
			mean += v / float64(len(s))
		}
		for _, v := range s {
			variance += (v - mean) * (v - mean) / float64(len(s)-1)
		}
		return mean, variance
	}
	ma, va := moments(a)
	mb, vb := moments(b)
	return (mb - ma) / math.Sqrt(va/float64(len(a))+vb/float64(len(b)))
}
