package experiment

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

func observed2(wall, cpu, delay time.Duration) Observation {
	return Observation{
		Wall: wall, Values: []Value{{perf.Wall, wall.Seconds()}, {perf.CPU, cpu.Seconds()}},
		Contention: Contention{RunDelay: delay, HasRunDelay: true},
	}
}

func TestGateFollowsCharacter(t *testing.T) {
	const ms = time.Millisecond
	for name, row := range map[string]struct {
		runs   []Observation
		want   []perf.Metric
		blind  bool
		single bool
		reason string
	}{
		"computes":          {[]Observation{observed2(20*ms, 19*ms, 0)}, []perf.Metric{perf.CPU}, false, true, "one thread"},
		"computes, loaded":  {[]Observation{observed2(40*ms, 19*ms, 20*ms)}, []perf.Metric{perf.CPU}, false, true, "one thread"},
		"waits":             {[]Observation{observed2(20*ms, 9*ms, 0)}, []perf.Metric{perf.Wall}, true, true, "mostly waits"},
		"at the limit":      {[]Observation{observed2(20*ms, 16*ms, 0)}, []perf.Metric{perf.CPU}, false, true, "one thread"},
		"parallel":          {[]Observation{observed2(20*ms, 38*ms, 0)}, []perf.Metric{perf.CPU, perf.Wall}, false, false, "half of alpha"},
		"a collector's":     {[]Observation{observed2(20*ms, 21*ms, 0)}, []perf.Metric{perf.CPU}, false, true, "one thread"},
		"one run is odd":    {[]Observation{observed2(20*ms, 19*ms, 0), observed2(90*ms, 19*ms, 0), observed2(20*ms, 19*ms, 0)}, []perf.Metric{perf.CPU}, false, true, "one thread"},
		"delay beyond wall": {[]Observation{observed2(20*ms, 19*ms, 70*ms)}, []perf.Metric{perf.CPU}, false, true, "one thread"},
		"no CPU time":       {[]Observation{{Values: []Value{{perf.Wall, 0.02}}}}, []perf.Metric{perf.Wall}, true, false, "no CPU time"},
	} {
		c := characterise(row.runs)
		g := chooseGate(c)
		if !slices.Equal(g.metrics, row.want) || g.cpuBlind != row.blind || c.single() != row.single || !strings.Contains(g.reason, row.reason) {
			t.Errorf("%s: gated by %v (%s), blind %v, single %v; want %v", name, g.metrics, g.reason, g.cpuBlind, c.single(), row.want)
		}
	}
}
