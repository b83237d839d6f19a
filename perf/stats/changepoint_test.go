package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// noiseSeries is an AR(1) series of variance 1.
func noiseSeries(r *rand.Rand, n int, rho float64) perf.Sample {
	x := r.NormFloat64()
	return draw(r, n, func(r *rand.Rand) float64 {
		x = rho*x + math.Sqrt(1-rho*rho)*r.NormFloat64()
		return x
	})
}

// TestChangePointsAlarm counts how often pure noise shows a change, with and without
// the correlation that neighbouring points have in practice.
func TestChangePointsAlarm(t *testing.T) {
	const trials, n = 250, 100
	for i, rho := range []float64{0, 0.5} {
		blocks, points := 0, 0
		r := seeded(uint64(90 + i))
		for trial := range trials {
			s := noiseSeries(r, n, rho)
			found, err := ChangePoints(s, ChangeOptions{Permutations: 99, Seed: uint64(trial)})
			if err != nil {
				t.Fatal(err)
			}
			blocks += count(len(found) > 0)
			single := changeSearch{ChangeOptions: ChangeOptions{Alpha: ChangeAlpha, Permutations: 99}, blocks: n, r: r}
			single.segment(s, 0)
			points += count(len(single.found) > 0)
		}
		share, shuffled := float64(blocks)/trials, float64(points)/trials
		t.Logf("ρ %v: %.3f of series alarm, %.3f when single points are shuffled", rho, share, shuffled)
		if share > ChangeAlpha {
			t.Errorf("ρ %v: %.3f of series without a change show one, want at most %v", rho, share, ChangeAlpha)
		}
		if rho > 0 && shuffled < 0.4 {
			t.Errorf("ρ %v: shuffling single points alarms in %.3f: this test measures nothing", rho, shuffled)
		}
	}
}

// TestChangePointsFound holds that real changes are found, where they are.
func TestChangePointsFound(t *testing.T) {
	for _, c := range []struct {
		name   string
		n      int
		rho    float64
		levels map[int]float64 // from this point on
		want   []int
		near   int
	}{
		{"one in the middle", 100, 0, map[int]float64{50: 4}, []int{50}, 1},
		{"one in a third, with correlation", 100, 0.5, map[int]float64{33: -5}, []int{33}, 3},
		{"two steps", 150, 0, map[int]float64{50: 6, 100: 12}, []int{50, 100}, 1},
		{"few points", 20, 0, map[int]float64{10: 9}, []int{10}, 0},
		{"one point gone astray", 100, 0, map[int]float64{40: 1000, 41: 0}, nil, 0},
		{"none", 100, 0, nil, nil, 0},
		{"too few points", 9, 0, map[int]float64{4: 99}, nil, 0},
	} {
		s := noiseSeries(seeded(7), c.n, c.rho)
		level := 0.0
		for i := range s {
			if l, ok := c.levels[i]; ok {
				level = l
			}
			s[i] += level
		}
		before := slices.Clone(s)
		found, err := ChangePoints(s, ChangeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s, before) {
			t.Errorf("%s: the series was changed", c.name)
		}
		if len(found) != len(c.want) {
			t.Errorf("%s: found %+v, want changes at %v", c.name, found, c.want)
			continue
		}
		for i, f := range found {
			if d := f.Index - c.want[i]; d < -c.near || d > c.near || !(f.P > 0 && f.P <= ChangeAlpha) {
				t.Errorf("%s: found %+v, want changes at %v", c.name, found, c.want)
			}
			if jump := f.After - f.Before; math.Abs(jump) < 2.5 || jump > 0 != (c.levels[c.want[i]] > 0) && c.levels[c.want[i]] != 0 {
				t.Errorf("%s: levels %v to %v", c.name, f.Before, f.After)
			}
		}
		again, _ := ChangePoints(s, ChangeOptions{})
		if !slices.Equal(found, again) {
			t.Errorf("%s: the same seed gives another answer", c.name)
		}
	}
}

func TestChangePointsBadInput(t *testing.T) {
	for _, bad := range []perf.Sample{{1, math.NaN()}, {math.Inf(1)}} {
		if _, err := ChangePoints(bad, ChangeOptions{}); err == nil {
			t.Errorf("no error for %v", bad)
		}
	}
	for _, o := range []ChangeOptions{{Alpha: 1}, {Alpha: math.NaN()}, {Alpha: -1}, {Permutations: -1}} {
		if _, err := ChangePoints(perf.Sample{1}, o); err == nil {
			t.Errorf("no error for %+v", o)
		}
	}
	for _, s := range []perf.Sample{nil, {1}, slices.Repeat(perf.Sample{3}, 60)} {
		if found, err := ChangePoints(s, ChangeOptions{}); err != nil || len(found) > 0 {
			t.Errorf("%d equal points: %v, %v", len(s), found, err)
		}
	}
}

// TestEnergy checks the fast sums against the definition, with ties.
func TestEnergy(t *testing.T) {
	r := seeded(95)
	for n := 2 * ChangeSide; n < 40; n++ {
		s := draw(r, n, func(r *rand.Rand) float64 { return float64(r.IntN(12)) })
		e := newEnergy(s)
		order := r.Perm(n)
		at, q := e.best(order)
		wantAt, want := 0, math.Inf(-1)
		for k := ChangeSide; k <= n-ChangeSide; k++ {
			if v := energyOf(e.rank, order, k); v > want+1e-9 {
				wantAt, want = k, v
			}
		}
		if at != wantAt || math.Abs(q-want) > 1e-9*(1+math.Abs(want)) {
			t.Fatalf("n %d: split at %d with %v, want %d with %v", n, at, q, wantAt, want)
		}
	}
}

// energyOf is the statistic as it is written down.
func energyOf(rank []float64, order []int, k int) float64 {
	between, left, right := 0.0, 0.0, 0.0
	for i := range order {
		for j := range i {
			d := math.Abs(rank[order[i]] - rank[order[j]])
			switch {
			case i < k:
				left += d
			case j >= k:
				right += d
			default:
				between += d
			}
		}
	}
	m, n := float64(k), float64(len(order)-k)
	return m * n / (m + n) * (2*between/(m*n) - left/(m*(m-1)/2) - right/(n*(n-1)/2))
}

func TestShuffleBlocks(t *testing.T) {
	r := seeded(96)
	for n := 1; n < 60; n++ {
		order := make([]int, n)
		block := (n + 4) / 5
		shuffleBlocks(order, block, r)
		breaks := 0
		for i := 1; i < n; i++ {
			breaks += count(order[i] != order[i-1]+1)
		}
		sorted := slices.Sorted(slices.Values(order))
		for i, v := range sorted {
			if v != i {
				t.Fatalf("n %d: %v is no permutation", n, order)
			}
		}
		if breaks > 5 {
			t.Errorf("n %d: %d breaks in %v, want 6 blocks at most", n, breaks, order)
		}
	}
}
