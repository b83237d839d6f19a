package experiment

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// fakeWork takes about 20 ms by a clock of its own, with a spread of its times.
type fakeWork struct {
	clock  time.Time
	source *rand.Rand
	wall   float64 // relative standard deviation
	cpu    float64
	drift  float64 // of wall, for each run
	runs   int
}

func newFakeWork() *fakeWork {
	return &fakeWork{clock: time.Unix(0, 0), source: rand.New(rand.NewPCG(1, 2))}
}

func (f *fakeWork) now() time.Time { return f.clock }

func (f *fakeWork) run(context.Context) (Observation, error) {
	f.runs++
	wall := 0.02 * math.Exp(f.wall*f.source.NormFloat64()+f.drift*float64(f.runs))
	cpu := 0.018 * math.Exp(f.cpu*f.source.NormFloat64())
	took := time.Duration(wall * float64(time.Second))
	f.clock = f.clock.Add(took)
	return Observation{Wall: took, Values: []Value{{perf.Wall, wall}, {perf.CPU, cpu}}}, nil
}

// The spread that is put in comes out, and a steadier machine finds smaller effects.
func TestNoise(t *testing.T) {
	f := newFakeWork()
	f.wall, f.cpu = 0.05, 0.005
	n, err := NoiseProbe{Work: f.run, Budget: 20 * time.Second, Within: 20 * time.Second, Now: f.now, Seed: 1}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n.Pairs < 450 || n.Pairs > 550 || n.PerPair < 38*time.Millisecond || n.PerPair > 42*time.Millisecond {
		t.Errorf("%d pairs of %s", n.Pairs, n.PerPair)
	}
	if len(n.Metrics) != 2 {
		t.Fatalf("%d metrics", len(n.Metrics))
	}
	wall, cpu := n.Metrics[0], n.Metrics[1]
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"spread of wall", wall.Spread, 0.05}, {"spread of pairs of wall", wall.PairSpread, 0.05 * math.Sqrt2},
		{"spread of cpu", cpu.Spread, 0.005}, {"median of cpu", cpu.Median, 0.018},
	} {
		if math.Abs(c.got-c.want) > 0.15*c.want {
			t.Errorf("%s is %v, and %v was put in", c.what, c.got, c.want)
		}
	}
	if wall.Detectable < 0.005 || wall.Detectable > 0.03 || cpu.Detectable == 0 || cpu.Detectable > wall.Detectable/4 {
		t.Errorf("detectable: wall %v, cpu %v", wall.Detectable, cpu.Detectable)
	}
	if advice := strings.Join(n.Advice(), "\n"); !strings.Contains(advice, "cpu is steadier than wall") || strings.Contains(advice, "moves slowly") {
		t.Errorf("advice:\n%s", advice)
	}
}

// A level that moves is seen by runs, and not by pairs.
func TestNoiseThatMoves(t *testing.T) {
	f := newFakeWork()
	f.wall, f.cpu, f.drift = 0.01, 0.01, 0.0005
	n, err := NoiseProbe{Work: f.run, Budget: 20 * time.Second, Within: 5 * time.Second, Now: f.now, Seed: 1}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if wall := n.Metrics[0]; wall.Spread < 3*wall.PairSpread || !strings.Contains(strings.Join(n.Advice(), "\n"), "moves slowly") {
		t.Errorf("spread %v, of pairs %v, advice %q", wall.Spread, wall.PairSpread, n.Advice())
	}
}

func TestNoiseErrors(t *testing.T) {
	broken := errors.New("it does not start")
	if _, err := (NoiseProbe{Work: func(context.Context) (Observation, error) { return Observation{}, broken }}).Run(t.Context()); !errors.Is(err, broken) {
		t.Errorf("the error of the work: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	f := newFakeWork()
	work := func(ctx context.Context) (Observation, error) {
		if f.runs == 5 {
			cancel()
		}
		return f.run(ctx)
	}
	if _, err := (NoiseProbe{Work: work, Budget: time.Hour, Now: f.now}).Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("an interruption: %v", err)
	}
}
