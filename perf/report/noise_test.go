package report

import (
	"io"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

func TestNoise(t *testing.T) {
	n := experiment.Noise{
		Pairs: 742, PerPair: 40 * time.Millisecond, Within: time.Minute,
		Metrics: []experiment.MetricNoise{
			{Metric: perf.Wall, Median: 0.0192, Spread: 0.052, PairSpread: 0.021, Far: 0.07, Detectable: 0.0075},
			{Metric: perf.CPU, Median: 0.0178, Spread: 0.011, PairSpread: 0.0105, Detectable: 0.002},
		},
		Contention: "something on this machine waited for a CPU 31 % of the time",
	}
	conditions := []measure.Condition{
		{Name: "CPU governor", Value: "powersave", Effect: "the first runs are slow", Remedy: "cpupower frequency-set -g performance"},
		{Name: "swap", Value: "off"},
	}
	golden(t, "noise", func(w io.Writer, st Style) error {
		return Noise(w, testMachine(), n, conditions, 31*time.Second, st)
	})
	golden(t, "noise_none", func(w io.Writer, st Style) error {
		return Noise(w, testMachine(), experiment.Noise{Pairs: 20, Within: time.Minute}, nil, time.Second, st)
	})
}
