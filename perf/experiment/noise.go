package experiment

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
)

// A NoiseProbe measures how far the runs of one command differ on this machine.
type NoiseProbe struct {
	// Work runs the command once.
	Work func(context.Context) (Observation, error)
	// Budget is for the runs, and Within the time that a comparison has, for which the
	// smallest slowdown that it finds is computed.
	Budget, Within time.Duration
	Seed           uint64
	Progress       func(pairs int, left time.Duration) // may be nil
	Now            func() time.Time                    // nil: the system's
}

// Noise is what a [NoiseProbe] found.
type Noise struct {
	Pairs   int
	PerPair time.Duration
	Metrics []MetricNoise // wall and cpu, as far as the system has them
	// Contention says what stood in the way of the runs, or is empty.
	Contention string
	Within     time.Duration
}

// MetricNoise is the noise of one metric.
type MetricNoise struct {
	Metric perf.Metric
	Median float64
	// Spread is that of the runs and PairSpread that of the ratio of two runs one after
	// the other: a standard deviation, relative, taken from the quartiles, so that a few
	// runs far from the rest do not decide it. What moves slowly is in the first alone.
	Spread, PairSpread float64
	// Far is the share of runs that lie far from the rest.
	Far float64
	// Detectable is the smallest slowdown, as a share, that a comparison by pairs finds
	// in 95 of 100 cases within the time; 0: none up to 50 %.
	Detectable float64
}

// fewestNoisePairs are needed to say anything of a spread.
const fewestNoisePairs = 20

// Run measures. An error is that of the work, or of ctx.
func (p NoiseProbe) Run(ctx context.Context) (Noise, error) {
	if p.Now == nil {
		p.Now = time.Now
	}
	n := Noise{Within: p.Within}
	var samples [2]map[perf.Metric]perf.Sample
	samples[0], samples[1] = map[perf.Metric]perf.Sample{}, map[perf.Metric]perf.Sample{}
	var shared contentionSum
	if _, err := p.Work(ctx); err != nil { // the first run finds nothing in a cache
		return n, err
	}
	began := p.Now()
	for n.Pairs < fewestNoisePairs || p.Now().Sub(began) < p.Budget {
		for side := range samples {
			if err := ctx.Err(); err != nil {
				return n, err
			}
			o, err := p.Work(ctx)
			if err != nil {
				return n, err
			}
			shared.add(o)
			for _, v := range o.Values {
				samples[side][v.Metric] = append(samples[side][v.Metric], v.Value)
			}
		}
		n.Pairs++
		if p.Progress != nil {
			p.Progress(n.Pairs, max(p.Budget-p.Now().Sub(began), 0))
		}
	}
	n.PerPair = p.Now().Sub(began) / time.Duration(n.Pairs)
	_, n.Contention = shared.worst()
	for _, m := range []perf.Metric{perf.Wall, perf.CPU} {
		if noise, ok := p.noiseOf(m, samples[0][m], samples[1][m], n.PerPair); ok {
			n.Metrics = append(n.Metrics, noise)
		}
	}
	return n, nil
}

// noiseOf is the noise of a metric whose runs came in pairs.
func (p NoiseProbe) noiseOf(m perf.Metric, first, second perf.Sample, perPair time.Duration) (MetricNoise, bool) {
	if len(first) == 0 || len(first) != len(second) {
		return MetricNoise{}, false
	}
	var all, ratios perf.Sample
	var usable [2]perf.Sample
	for i := range first {
		if first[i] <= 0 || second[i] <= 0 { // a clock too coarse for such a run
			continue
		}
		all = append(all, first[i], second[i])
		ratios = append(ratios, math.Log(second[i]/first[i]))
		usable[0], usable[1] = append(usable[0], first[i]), append(usable[1], second[i])
	}
	if len(ratios) < fewestNoisePairs {
		return MetricNoise{}, false
	}
	noise := MetricNoise{Metric: m, Median: stats.Median(all), PairSpread: quartileSpread(ratios)}
	noise.Spread = quartileSpread(all) / noise.Median
	noise.Far = float64(len(stats.Outliers(all))) / float64(len(all))
	noise.Detectable = DetectableEffect(usable[0], usable[1], int(p.Within/max(perPair, 1)), p.Seed)
	return noise, true
}

// quartileSpread is the standard deviation of a normal distribution with the quartiles of
// the sample.
func quartileSpread(s perf.Sample) float64 {
	return (stats.Quantile(s, 0.75) - stats.Quantile(s, 0.25)) / 1.349
}

// Advice says what would make the noise of this machine smaller, as far as the noise
// itself tells. What the machine's settings tell is for perf/measure.
func (n Noise) Advice() []string {
	var out []string
	if n.Contention != "" {
		out = append(out, n.Contention+": stop what else runs here, or measure when it is quiet")
	}
	byName := map[string]MetricNoise{}
	for _, m := range n.Metrics {
		byName[m.Metric.Name] = m
	}
	wall, hasWall := byName[perf.Wall.Name]
	cpu, hasCPU := byName[perf.CPU.Name]
	if hasWall && hasCPU && cpu.Detectable > 0 && (wall.Detectable == 0 || wall.Detectable >= 2*cpu.Detectable) {
		out = append(out, "cpu is steadier than wall here: decide by it what computes on one thread (-metric=cpu of compare and compareRefs)")
	}
	if hasWall && wall.Spread > 2*wall.PairSpread {
		out = append(out, fmt.Sprintf("the level moves slowly, by %.0f times what a pair sees of it: compare in pairs (compare, compareRefs, regressions), and not with a baseline", wall.Spread/max(wall.PairSpread, 1e-6)))
	}
	if hasWall && wall.Far > 0.05 {
		out = append(out, fmt.Sprintf("%.0f %% of the runs lie far from the rest: something wakes up now and then; look for it with top or systemd-cgtop", 100*wall.Far))
	}
	return append(out, "more time: four times the pairs find about half the effect (-budget)")
}
