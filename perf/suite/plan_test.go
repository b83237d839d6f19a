package suite

import (
	"slices"
	"testing"
	"time"
)

// planOf plans workloads that are all wanted, in a mode of round figures.
func planOf(list ...Workload) []Step {
	wanted := map[string]bool{}
	for i := range list {
		list[i].Name = string(rune('a' + i))
		wanted[list[i].Name] = true
	}
	return Suite{Workloads: list}.Plan(testMode, wanted)
}

var testMode = Mode{Name: "test", Budget: time.Minute, Share: 20 * time.Second, Narrow: 0.1, Min: 10, Max: 100}

func TestPlanShares(t *testing.T) {
	for _, row := range []struct {
		name    string
		list    []Workload
		budgets []time.Duration
	}{
		{"one takes no more than the share", []Workload{{}}, []time.Duration{20 * time.Second}},
		{"three use the budget up", []Workload{{}, {}, {}}, []time.Duration{20 * time.Second, 20 * time.Second, 20 * time.Second}},
		{"four divide it", []Workload{{}, {}, {}, {}}, []time.Duration{15 * time.Second, 15 * time.Second, 15 * time.Second, 15 * time.Second}},
		{"a one-shot takes nothing of it", []Workload{{OneShot: true}, {}, {}, {}}, []time.Duration{0, 20 * time.Second, 20 * time.Second, 20 * time.Second}},
		{"what is stated stays", []Workload{{Budget: time.Hour}, {}}, []time.Duration{time.Hour, 20 * time.Second}},
	} {
		var got []time.Duration
		for _, s := range planOf(row.list...) {
			got = append(got, s.Budget)
		}
		if !slices.Equal(got, row.budgets) {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

func TestPlanRuns(t *testing.T) {
	for _, row := range []struct {
		name     string
		w        Workload
		min, max int
		firm     bool
	}{
		{"the mode's", Workload{}, 10, 100, false},
		{"a stated minimum is firm", Workload{Min: 30}, 30, 100, true},
		{"a stated minimum over the mode's maximum", Workload{Min: 300}, 300, 300, true},
		{"a stated maximum under the mode's minimum", Workload{Max: 3}, 3, 3, false},
		{"a fixed number", Workload{Min: 7, Max: 7}, 7, 7, true},
		{"a one-shot", Workload{OneShot: true, Min: 30, Max: 30}, 1, 1, false},
	} {
		s := planOf(row.w)[0]
		if s.Min != row.min || s.Max != row.max || s.Firm != row.firm || s.Narrow != testMode.Narrow {
			t.Errorf("%s: %d to %d, firm %v, narrow %v", row.name, s.Min, s.Max, s.Firm, s.Narrow)
		}
	}
}

// What nobody asked for runs once, and neither warms up nor measures memory.
func TestPlanUnwanted(t *testing.T) {
	s := sample()
	s.Workloads[1].Warmup, s.Workloads[1].Memory, s.Workloads[1].Min, s.Workloads[1].Cost = 3, 3, 30, time.Minute
	sub, wanted, err := s.Select("test suite")
	if err != nil {
		t.Fatal(err)
	}
	steps := sub.Plan(testMode, wanted)
	build := steps[1]
	if build.Wanted || build.Min != 1 || build.Max != 1 || build.Warmup != 0 || build.Memory != 0 || len(build.Objectives) != 0 || build.Expected() != time.Minute {
		t.Errorf("the build: %+v", build)
	}
	last := steps[2]
	if !last.Wanted || last.Budget != testMode.Share || len(last.Objectives) != 2 || last.Expected() != testMode.Share {
		t.Errorf("the tests: %+v", last)
	}
	if s.Workloads[1].Warmup != 3 {
		t.Error("Plan changed the suite")
	}
}

func TestPlanOneShot(t *testing.T) {
	s := planOf(Workload{OneShot: true, Cost: time.Hour, Warmup: 1, Memory: 2})[0]
	if !s.Wanted || s.Warmup != 0 || s.Memory != 0 || s.Expected() != time.Hour {
		t.Errorf("%+v, expected %v", s, s.Expected())
	}
}

func TestModeNamed(t *testing.T) {
	for given, want := range map[string]string{"": "quick", "quick": "quick", "q": "quick", "full": "full", "FULL": "full"} {
		if got, err := ModeNamed(given); got.Name != want || err != nil {
			t.Errorf("%q: %v, %v", given, got.Name, err)
		}
	}
	_, err := ModeNamed("fast")
	checkUsage(t, err, `unknown mode "fast"`, "quick, full")
}
