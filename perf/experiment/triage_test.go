package experiment

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// strategy returns the judgement of the strategy called name.
func strategy(t *testing.T, a *Triage, name string) Strategy {
	t.Helper()
	at := slices.IndexFunc(a.Strategies, func(s Strategy) bool { return s.Name == name })
	if at < 0 {
		t.Fatalf("no strategy %q in %+v", name, a.Strategies)
	}
	return a.Strategies[at]
}

// of is a triage whose one run takes these times, with the classes of its CPU profile.
func of(user, waiting float64, classes ...TriageClass) *Triage {
	a := &Triage{Usage: TriageUsage{Runs: 10, Wall: user + waiting, User: user, Waiting: waiting, Cores: 4, Repeats: 1}}
	if len(classes) > 0 {
		a.Profiles = append(a.Profiles, TriageProfile{Kind: cpuProfile, Run: user, Classes: classes})
	}
	return a
}

// TestStrategies holds each strategy against what speaks for it and against it. Without a
// measurement there is no advice.
func TestStrategies(t *testing.T) {
	parallel := func(walls ...float64) (out []ScalePoint) {
		for i, w := range walls {
			out = append(out, ScalePoint{N: 1 << i, Wall: w, Runs: 3})
		}
		return out
	}
	for name, tc := range map[string]struct {
		a              *Triage
		scale          TriageScale
		strategy       string
		want           Fit
		says           string
		init, preempts float64
	}{
		"nothing measured":      {a: &Triage{}, strategy: "caching", want: FitUnknown},
		"nothing recorded":      {a: of(1, 0), strategy: "fewer allocations", want: FitUnknown},
		"copies gain":           {a: of(1, 0), scale: TriageScale{Parallel: parallel(1, 1.02, 1.1)}, strategy: "parallel execution", want: FitYes, says: "4 at once do 3.6 times the work of one"},
		"waits overlap":         {a: of(0.01, 1), scale: TriageScale{Parallel: parallel(1, 1, 1)}, strategy: "parallel execution", want: FitYes, says: "0.01 of 4 cores"},
		"copies do not gain":    {a: of(1, 0), scale: TriageScale{Parallel: parallel(1, 2, 4)}, strategy: "parallel execution", want: FitNo},
		"all cores are in use":  {a: &Triage{Usage: TriageUsage{Wall: 1, User: 3.9, Cores: 4}}, scale: TriageScale{Parallel: parallel(1, 1.1)}, strategy: "parallel execution", want: FitNo, says: "3.90 of 4"},
		"others have the CPU":   {a: of(1, 1), scale: TriageScale{Parallel: parallel(1, 1)}, preempts: 0.9, strategy: "parallel execution", want: FitUnknown, says: "45 % of the time"},
		"one point is no scale": {a: of(1, 0), scale: TriageScale{Parallel: parallel(1)}, strategy: "parallel execution", want: FitUnknown},
		"formats":               {a: of(1, 0, TriageClass{Group: "Serialisation", Name: "TOML", Share: 0.4, Leaders: []string{"toml.parse"}}, TriageClass{Group: "Compute", Share: 0.6}), strategy: "caching", want: FitYes, says: "(toml.parse), and each run does it anew"},
		"formats, cheaper each time": {a: func() *Triage {
			a := of(1, 0, TriageClass{Group: "Serialisation", Share: 0.4}, TriageClass{Group: "Compute", Share: 0.6})
			a.Usage.Repeats = 0.5
			return a
		}(), strategy: "caching", want: FitNo},
		"formats, seldom":                  {a: of(1, 0, TriageClass{Group: "Serialisation", Share: 0.1}, TriageClass{Group: "Compute", Share: 0.9}), strategy: "caching", want: FitNo, says: "less than 15 %"},
		"formats, in what little is known": {a: of(0.2, 1, TriageClass{Group: "Serialisation", Share: 1}), strategy: "caching", want: FitUnknown},
		"allocation":                       {a: of(1, 0, TriageClass{Group: "Allocation", Share: 0.3, Leaders: []string{"malloc"}}, TriageClass{Group: "Compute", Share: 0.7}), strategy: "fewer allocations", want: FitYes, says: "30 % of the time (malloc)"},
		"page faults, without allocators":  {a: of(1, 0, TriageClass{Group: "Allocation", Share: 0.17, Kernel: 0.16, Leaders: []string{"asm_exc_page_fault"}}, TriageClass{Group: "Compute", Share: 0.83}), strategy: "fewer allocations", want: FitNo, says: "(asm_exc_page_fault), but allocators and garbage collection only 1 %"},
		"page faults of what is allocated": {a: of(1, 0, TriageClass{Group: "Allocation", Share: 0.17, Kernel: 0.1, Leaders: []string{"malloc"}}, TriageClass{Group: "Compute", Share: 0.83}), strategy: "fewer allocations", want: FitYes, says: "17 % of the time (malloc)"},
		"initialisation":                   {a: of(1, 0, TriageClass{Group: "Compute", Share: 1}), init: 0.6, strategy: "lazy initialisation", want: FitYes, says: "60 % of the time is initialisation"},
		"no initialisation":                {a: of(1, 0, TriageClass{Group: "Compute", Share: 1}), init: 0.01, strategy: "lazy initialisation", want: FitNo},
		"the same for any size":            {a: of(1, 0), scale: TriageScale{Sizes: parallel(1, 1.01, 1.02, 1.05)}, strategy: "lazy initialisation", want: FitYes, says: "for 8 items"},
		"grows with its size":              {a: of(1, 0), scale: TriageScale{Sizes: parallel(1, 2, 4, 8)}, strategy: "lazy initialisation", want: FitNo},
		"no line":                          {a: of(1, 0), scale: TriageScale{Sizes: parallel(1, 4, 16, 64)}, strategy: "lazy initialisation", want: FitUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			tc.a.Scale = tc.scale
			for i := range tc.a.Profiles {
				tc.a.Profiles[i].Init = tc.init
			}
			if tc.preempts > 0 {
				tc.a.Profiles = append(tc.a.Profiles, TriageProfile{Kind: offProfile, Preempted: tc.preempts})
			}
			tc.a.Diagnose()
			s := strategy(t, tc.a, tc.strategy)
			if s.Fit != tc.want || !strings.Contains(strings.Join(s.Evidence, "\n"), tc.says) {
				t.Errorf("%+v, want that it %s because of %q", s, tc.want, tc.says)
			}
			if s.Fit != FitUnknown && len(s.Evidence) == 0 {
				t.Errorf("%s %s, without evidence", s.Name, s.Fit)
			}
		})
	}
}

// TestTriageLaw fits the law to walls that follow one, and to some that follow none.
func TestTriageLaw(t *testing.T) {
	points := func(wall func(n float64) float64) (out []ScalePoint) {
		for _, n := range []int{1, 2, 4, 8} {
			p := ScalePoint{N: n}
			for _, noise := range []float64{0.99, 1, 1.01} {
				p.Walls = append(p.Walls, noise*wall(float64(n)))
			}
			p.Wall, p.Runs = p.Walls[1], len(p.Walls)
			out = append(out, p)
		}
		return out
	}
	law := lawOf(points(func(n float64) float64 { return 2 * (1 + 0.2*(n-1)) }))
	if law == nil || law.Confidence == 0 || *law.Contention.Low > 0.2 || *law.Contention.High < 0.2 || *law.Contention.High-*law.Contention.Low > 0.1 || !strings.Contains(law.String(), "20 % of the work (1") {
		t.Errorf("%+v %s, want a contention of a fifth", law, law)
	}
	if law := lawOf(points(func(n float64) float64 { return 2 * (1 + 0.1*(n-1) + 0.1*n*(n-1)) })); law == nil || law.Best.Estimate == nil || *law.Best.Estimate < 2.5 || *law.Best.Estimate > 3.5 {
		t.Errorf("%+v, want that three at once do the most", law)
	}
	if law := lawOf(points(func(n float64) float64 { return 1 + 9*float64(int(n)/8) })); law == nil || law.String() != "" {
		t.Errorf("%+v %s, where eight at once break down", law, law)
	}
	if law := lawOf(points(func(n float64) float64 { return n })[:2]); law != nil || law.String() != "" {
		t.Errorf("%+v of two points", law)
	}
	a := of(1, 0)
	a.Scale.Parallel = points(func(n float64) float64 { return 1 + 0.2*(n-1) })
	a.Diagnose()
	if s := strategy(t, a, "parallel execution"); !strings.Contains(strings.Join(s.Evidence, "\n"), "Universal Scalability Law") {
		t.Errorf("%q says nothing of the law", s.Evidence)
	}
}

// TestTimeIsDivided checks that CPU time and waiting have their own profiles, that what is
// idle explains nothing, and that all shares add up.
func TestTimeIsDivided(t *testing.T) {
	a := of(0.25, 0.75, TriageClass{Group: "Compute", Share: 1})
	a.Profiles = append(a.Profiles, TriageProfile{Kind: offProfile, Run: 0.5, Classes: []TriageClass{{Group: "Locking", Share: 0.8, Leaders: []string{"lock"}}, {Group: "Compute", Share: 0.2}}})
	a.Diagnose()
	var sum float64
	got := map[string]float64{}
	for _, c := range a.Classes {
		sum += c.Share
		got[c.String()] += c.Share
	}
	want := map[string]float64{"Locking": 0.4, "Compute": 0.35, "Waiting: not known": 0.25}
	for class, share := range want {
		if got[class] < share-1e-9 || got[class] > share+1e-9 {
			t.Errorf("%s has %v, want %v", class, got[class], share)
		}
	}
	if sum < 1-1e-9 || sum > 1+1e-9 || a.Bottleneck != "Locking" {
		t.Errorf("the shares add up to %v, the bottleneck is %s", sum, a.Bottleneck)
	}
	var names []string
	for _, s := range a.Symptoms {
		names = append(names, s.Name)
	}
	if !slices.Equal(names, []string{"waiting", "lock contention"}) {
		t.Errorf("symptoms %q", names)
	}
}

// TestUsageOf takes medians, and waiting is what nothing else explains.
func TestUsageOf(t *testing.T) {
	var runs []Observation
	for _, wall := range []float64{1, 1, 0.5, 0.5} {
		runs = append(runs, Observation{Values: []Value{{perf.Wall, wall}, {perf.User, 0.2}, {perf.System, 0.1}, {perf.RunDelay, 0.05}, {perf.ContainerReady, 0.3}}})
	}
	u := UsageOf(runs, 4)
	if u.Runs != 4 || u.Wall != 0.75 || u.Waiting < 0.3999 || u.Waiting > 0.4001 || u.Repeats != 0.5 || u.Phases["ready"] != 0.3 {
		t.Errorf("%+v", u)
	}
	if u := UsageOf(nil, 1); u.Wall != 0 || u.Repeats != 0 {
		t.Errorf("of no run: %+v", u)
	}
}

// TestSizes makes smaller workloads of one that names its files.
func TestSizes(t *testing.T) {
	w := suite.Workload{Name: "check", Command: suite.Command{Args: []string{"check", "-v"}}}
	for i := range 16 {
		name := string(rune('a' + i))
		w.Files = append(w.Files, suite.File{Name: name})
		w.Command.Args = append(w.Command.Args, name)
	}
	var got []int
	for _, s := range Sizes(suite.Step{Workload: w}) {
		got = append(got, s.N)
		if len(s.Step.Command.Args) != 2+s.N || s.Step.Command.Args[1] != "-v" {
			t.Errorf("size %d: %q", s.N, s.Step.Command.Args)
		}
	}
	if !slices.Equal(got, []int{2, 4, 8, 16}) || len(w.Command.Args) != 18 {
		t.Errorf("sizes %v; the workload itself has %d arguments", got, len(w.Command.Args))
	}
	if s := Sizes(suite.Step{Workload: suite.Workload{Files: w.Files}}); s != nil {
		t.Errorf("a command that names none has sizes: %v", s)
	}
}

// TestParallelPoints asks for rising numbers, and stops where one fails.
func TestParallelPoints(t *testing.T) {
	o := ScaleOptions{Runs: 3}
	var asked []int
	points, err := o.Parallel(t.Context(), 2, func(_ context.Context, n int) (time.Duration, error) {
		asked = append(asked, n)
		return time.Second, nil
	})
	if err != nil || !slices.Equal(asked, []int{1, 1, 1, 2, 2, 2, 4, 4, 4}) || len(points) != 3 {
		t.Errorf("%v, %v after %v", points, err, asked)
	}
	if gain, n := (TriageScale{Parallel: points}).Gain(); gain != 4 || n != 4 {
		t.Errorf("gain %v at %d", gain, n)
	}
	broken := errors.New("it broke")
	points, err = o.Parallel(t.Context(), 2, func(_ context.Context, n int) (time.Duration, error) {
		if n == 2 {
			return 0, broken
		}
		return time.Second, nil
	})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "2 at once") || len(points) != 1 {
		t.Errorf("%v, %v", points, err)
	}
}

// TestAtOnce starts a command n times, and sees one of them fail.
func TestAtOnce(t *testing.T) {
	dir := t.TempDir()
	p := Processes{Work: dir}
	step := suite.Step{Workload: suite.Workload{Name: "x", Command: suite.Command{Args: []string{"sh", "-c", "echo >> ran; test ! -e broken"}, Dir: dir}}}
	run, err := p.AtOnce(step)
	if err != nil {
		t.Skip(err) // there is no shell
	}
	if _, err := run(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "ran")); err != nil || string(got) != "\n\n\n" {
		t.Errorf("it ran %d times, want 3 (%v)", len(got), err)
	}
	if err := os.WriteFile(filepath.Join(dir, "broken"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), 2); err == nil || !strings.Contains(err.Error(), "2 at once") {
		t.Errorf("%v, want that it failed", err)
	}
	step.Fresh = []string{dir}
	if _, err := p.AtOnce(step); !errors.Is(err, ErrAlone) {
		t.Errorf("%v, want that runs cannot overlap", err)
	}
}
