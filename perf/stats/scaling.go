package stats

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// A Load is what was seen at one level of parallelism: the throughput of each visit to
// that level, in run order and in anything a second.
type Load struct {
	Parallel   int
	Throughput perf.Sample
}

// An Interval is an estimate with bounds that hold together at one confidence. High is
// +Inf where nothing bounds it from above.
type Interval struct {
	Estimate  float64
	Low, High float64 // valid where HasBounds
	HasBounds bool
}

// A Scaling is the Universal Scalability Law fitted to throughput against parallelism:
//
//	X(n) = λn / (1 + σ(n-1) + κn(n-1))
//
// λ is the throughput of one alone. σ, the contention, is the share of the work that
// only one can do at a time: with it alone the law is Amdahl's, and throughput rises
// towards λ/σ. κ, the coherency, is what each pair costs the other: with it throughput
// falls again beyond n = sqrt((1-σ)/κ).
type Scaling struct {
	Lambda     float64
	Contention Interval // σ, from 0 to 1
	Coherency  Interval // κ, from 0
	// Best is the level of the highest throughput by the law, at least 1; +Inf where it
	// never falls. It need not be a level that was measured, or within those that were.
	Best Interval
	// Misfit is how far the law misses the level that it misses most, as a share of the
	// throughput there. The law is a shape of three parameters, and no engine knows it.
	Misfit float64
	Levels int // that were measured
	N      int // values
}

// minLevels is how many levels determine three parameters.
const minLevels = 3

// What [FitScaling] cannot make a law of.
var (
	ErrFewLevels = errors.New("too few levels of parallelism")
	ErrNoLoad    = errors.New("a throughput is no number above zero")
)

// FitScaling fits the law by weighted non-linear least squares. The weights are one over
// the square of the throughput, so that relative errors count: the sum is that of the
// squares of ln(measured/law), over the levels' mean logarithms, times the number of
// values of each and over their variance.
//
// # Intervals
//
// They are by profile likelihood: what a parameter may be so that the law, with the
// others at their best, fits worse than the best one by no more than s²t². t is
// Student's quantile. s² is the larger of two estimates of the variance of a value: from
// all residuals, and from how far the levels lie from the law. They agree where the law
// holds; where it does not, the second is larger, and what the law gets wrong widens the
// intervals, as the scale factor of the Particle Data Group does. Without a second value
// at any level, and with three levels, there are no intervals.
//
// Assumed is that relative errors are independent and nearly normal in their mean. Levels
// may differ in their noise: the weight of each has its own variance in it, drawn towards
// that of all. In simulations (TestFitScalingCoverage) with 5 % of noise the intervals of
// 95 % hold the truth in 93 to 97 % of 300 sessions, and in 89 % where the noise of the
// lowest level is four times that of the highest.
//
// What it cannot do: tell σ from κ by levels that all lie before the bend; say anything
// beyond the largest level, where Best may lie; see a queue with a limit, whose
// throughput breaks off.
//
// # Source
//
// Gunther, "Guerrilla Capacity Planning", 2007, chapter 5; Bates and Watts, "Nonlinear
// Regression Analysis", 1988, section 6.1 (profiles). It takes 3 ms.
func FitScaling(loads []Load, confidence float64) (Scaling, error) {
	f, err := newScalingFit(loads)
	if err != nil {
		return Scaling{}, err
	}
	f.minimise()
	s := Scaling{
		Lambda: f.lambda(f.sigma, f.kappa), Levels: len(f.levels), N: f.n,
		Contention: Interval{Estimate: f.sigma}, Coherency: Interval{Estimate: f.kappa}, Best: Interval{Estimate: bestLevel(f.sigma, f.kappa)},
	}
	for _, l := range f.levels {
		s.Misfit = max(s.Misfit, math.Abs(math.Expm1(l.log-math.Log(s.At(l.n)))))
	}
	if cut, ok := f.cut(confidence); ok {
		f.bound(&s, cut)
	}
	return s, nil
}

// At is the throughput of the law at n in parallel.
func (s Scaling) At(n float64) float64 {
	return s.Lambda * n / slowing(n, s.Contention.Estimate, s.Coherency.Estimate)
}

// slowing is what the law divides by: how many times longer each takes than alone.
func slowing(n, sigma, kappa float64) float64 { return 1 + sigma*(n-1) + kappa*n*(n-1) }

// bestLevel is where the law has its maximum, among the levels that can be.
func bestLevel(sigma, kappa float64) float64 {
	if kappa == 0 {
		return math.Inf(1)
	}
	return max(math.Sqrt((1-sigma)/kappa), 1)
}

// scalingLevel is the mean of a level on the scale of logarithms.
type scalingLevel struct{ n, log, weight float64 }

// scalingFit is a fit in progress. λ is not searched: for given σ and κ its best
// logarithm is a mean.
type scalingFit struct {
	levels   []scalingLevel
	n        int
	within   float64   // weighted sum of squares of the values around the mean of their level
	unit     float64   // what κ is searched in
	residual []float64 // scratch

	sigma, kappa, least float64 // the best, and its sum of squares
}

func newScalingFit(loads []Load) (*scalingFit, error) {
	values := map[int]perf.Sample{}
	for _, l := range loads {
		if l.Parallel < 1 {
			return nil, fmt.Errorf("%d in parallel: %w", l.Parallel, ErrNoLoad)
		}
		for _, v := range l.Throughput {
			if !(v > 0 && isFinite(v)) {
				return nil, fmt.Errorf("%v at %d in parallel: %w", v, l.Parallel, ErrNoLoad)
			}
			values[l.Parallel] = append(values[l.Parallel], math.Log(v))
		}
	}
	if len(values) < minLevels {
		return nil, fmt.Errorf("%w: the law has three parameters, so it takes %d levels, and there are %d", ErrFewLevels, minLevels, len(values))
	}
	f := &scalingFit{residual: make([]float64, len(values))}
	f.weigh(values)
	f.unit = 1 / f.levels[len(f.levels)-1].n
	return f, nil
}

// priorFreedom is how many degrees of freedom the variance of all levels together has in
// the variance of each: a level of few values must not get ten times the weight of
// another by chance (the moderated variance of Smyth 2004, with a fixed prior).
const priorFreedom = 4

// weigh takes the mean of each level, from the lowest, and gives it a weight: the number
// of its values over their variance, in units of the variance of all.
func (f *scalingFit) weigh(values map[int]perf.Sample) {
	squares, all := map[int]float64{}, 0.0
	for _, n := range slices.Sorted(maps.Keys(values)) {
		logs := values[n]
		l := scalingLevel{n: float64(n), weight: float64(len(logs))}
		for _, v := range logs {
			l.log += v / l.weight
		}
		for _, v := range logs {
			squares[n] += (v - l.log) * (v - l.log)
		}
		all += squares[n]
		f.n += len(logs)
		f.levels = append(f.levels, l)
	}
	replicates := f.n - len(f.levels)
	if replicates == 0 || all == 0 {
		return
	}
	common := all / float64(replicates)
	for i := range f.levels {
		l := &f.levels[i]
		own := (priorFreedom*common + squares[int(l.n)]) / (priorFreedom + l.weight - 1)
		l.weight *= common / own
		f.within += squares[int(l.n)] * common / own
	}
}

// logLambda is the best ln λ for given parameters. It leaves in residual what the levels
// lie above the law with λ = 1.
func (f *scalingFit) logLambda(sigma, kappa float64) float64 {
	sum, weight := 0.0, 0.0
	for i, l := range f.levels {
		f.residual[i] = l.log + math.Log(slowing(l.n, sigma, kappa)/l.n)
		sum += l.weight * f.residual[i]
		weight += l.weight
	}
	return sum / weight
}

func (f *scalingFit) lambda(sigma, kappa float64) float64 { return math.Exp(f.logLambda(sigma, kappa)) }

// squares is the weighted sum of squares of the levels around the law.
func (f *scalingFit) squares(sigma, kappa float64) float64 {
	lambda, sum := f.logLambda(sigma, kappa), 0.0
	for i, l := range f.levels {
		d := f.residual[i] - lambda
		sum += l.weight * d * d
	}
	return sum
}

// coherency maps 0 to 1 onto all values of κ, finely where the levels can tell them
// apart: at 1/2 it costs as much at the largest level as the work itself.
func (f *scalingFit) coherency(u float64) float64 { return f.unit * u / (1 - u) }

// uOf is the inverse.
func (f *scalingFit) uOf(kappa float64) float64 { return kappa / (kappa + f.unit) }

// maxU keeps κ finite: a million times the work itself.
const maxU = 1 - 1e-6

// minimise finds the best parameters.
func (f *scalingFit) minimise() {
	f.sigma, _ = least(0, 1, f.overSigma)
	f.kappa, f.least = f.bestKappa(f.sigma)
}

// overSigma is the profile of σ: the sum of squares with the best κ.
func (f *scalingFit) overSigma(sigma float64) float64 {
	_, v := f.bestKappa(sigma)
	return v
}

func (f *scalingFit) bestKappa(sigma float64) (kappa, value float64) {
	u, value := least(0, maxU, func(u float64) float64 { return f.squares(sigma, f.coherency(u)) })
	return f.coherency(u), value
}

// overKappa is the profile of κ.
func (f *scalingFit) overKappa(kappa float64) float64 {
	_, v := least(0, 1, func(sigma float64) float64 { return f.squares(sigma, kappa) })
	return v
}

// overBest is the profile of the best level, given as one over it: 0 is never, and 1 or
// more is 1.
func (f *scalingFit) overBest(inverse float64) float64 {
	if inverse >= 1 { // any law that falls from the start
		_, v := least(0, 1, func(sigma float64) float64 {
			_, v := least(f.uOf(1-sigma), maxU, func(u float64) float64 { return f.squares(sigma, f.coherency(u)) })
			return v
		})
		return v
	}
	_, v := least(0, 1, func(sigma float64) float64 { return f.squares(sigma, (1-sigma)*inverse*inverse) })
	return v
}

// cut is the sum of squares up to which parameters belong to the interval.
func (f *scalingFit) cut(confidence float64) (cut float64, ok bool) {
	lack, replicates := len(f.levels)-minLevels, f.n-len(f.levels)
	freedom := lack + replicates
	if freedom == 0 || !(confidence > 0 && confidence < 1) {
		return 0, false
	}
	variance := (f.least + f.within) / float64(freedom)
	if lack > 0 {
		variance = max(variance, f.least/float64(lack))
	}
	t := studentQuantile(freedom, (1+confidence)/2)
	// A perfect fit has only what rounding leaves.
	return f.least + variance*t*t + 1e-18, true
}

// bound fills in the intervals.
func (f *scalingFit) bound(s *Scaling, cut float64) {
	inside := func(profile func(float64) float64) func(float64) bool {
		return func(v float64) bool { return profile(v) <= cut }
	}
	sigma := inside(f.overSigma)
	s.Contention.set(edge(sigma, f.sigma, 0), edge(sigma, f.sigma, 1))
	kappa := inside(func(u float64) float64 { return f.overKappa(f.coherency(u)) })
	u := f.uOf(f.kappa)
	s.Coherency.set(f.coherency(edge(kappa, u, 0)), f.coherency(edge(kappa, u, maxU)))
	best := inside(f.overBest)
	at := 1 / s.Best.Estimate // 0 for never
	s.Best.set(1/edge(best, at, 1), 1/edge(best, at, 0))
}

// set takes the bounds, which rounding may have put on the wrong side of the estimate.
func (i *Interval) set(low, high float64) {
	i.Low, i.High, i.HasBounds = min(low, i.Estimate), max(high, i.Estimate), true
}

// edge is how far one can go from inside towards a limit and stay inside.
func edge(inside func(float64) bool, from, limit float64) float64 {
	if inside(limit) {
		return limit
	}
	for range edgeSteps {
		middle := from + (limit-from)/2
		if inside(middle) {
			from = middle
		} else {
			limit = middle
		}
	}
	return from
}

// How finely the searches look: the grid is there to find the right valley.
const (
	gridSteps   = 10
	brentSteps  = 40
	brentSpread = 1e-9
	edgeSteps   = 26
)

// least finds where a function that has few valleys is least between two ends, which
// count.
func least(low, high float64, f func(float64) float64) (at, value float64) {
	at, value = low, f(low)
	step := (high - low) / gridSteps
	for i := 1; i <= gridSteps; i++ {
		x := low + float64(i)*step
		if i == gridSteps {
			x = high
		}
		if v := f(x); v < value {
			at, value = x, v
		}
	}
	// The ends have been tried already, and win where they are as good.
	if x, v := brent(max(low, at-step), min(high, at+step), f); v < value {
		return x, v
	}
	return at, value
}

// brent finds the minimum of a function with one valley between a and b: by the parabola
// through three points, and where that does not help by the golden section (Brent,
// "Algorithms for Minimization without Derivatives", 1973, chapter 5).
func brent(a, b float64, f func(float64) float64) (x, fx float64) {
	const golden = 0.3819660112501051 // (3-sqrt(5))/2
	x = a + golden*(b-a)
	fx = f(x)
	w, v, fw, fv := x, x, fx, fx // the second and the third best
	var d, e float64             // the last step and the one before it
	for range brentSteps {
		middle, tolerance := (a+b)/2, brentSpread*(1+math.Abs(x))
		if math.Abs(x-middle) <= 2*tolerance-(b-a)/2 {
			break
		}
		r, q := (x-w)*(fx-fv), (x-v)*(fx-fw)
		p := (x-v)*q - (x-w)*r
		q = 2 * (q - r)
		if q > 0 {
			p = -p
		}
		q = math.Abs(q)
		if math.Abs(p) < math.Abs(q*e/2) && p > q*(a-x) && p < q*(b-x) {
			e, d = d, p/q
		} else {
			e = b - x
			if x >= middle {
				e = a - x
			}
			d = golden * e
		}
		u := x + d
		if math.Abs(d) < tolerance {
			u = x + math.Copysign(tolerance, d)
		}
		fu := f(u)
		switch {
		case fu <= fx:
			if u >= x {
				a = x
			} else {
				b = x
			}
			v, w, x, fv, fw, fx = w, x, u, fw, fx, fu
			continue
		case u < x:
			a = u
		default:
			b = u
		}
		switch {
		case fu <= fw || w == x:
			v, w, fv, fw = w, u, fw, fu
		case fu <= fv || v == x || v == w:
			v, fv = u, fu
		}
	}
	return x, fx
}

// studentQuantile is the quantile p, above 1/2, of Student's distribution.
func studentQuantile(freedom int, p float64) float64 {
	low, high := 0.0, 1.0
	for studentWithin(freedom, high) < 2*p-1 {
		low, high = high, 2*high
	}
	for range 60 {
		middle := low + (high-low)/2
		if studentWithin(freedom, middle) < 2*p-1 {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// studentWithin is the probability that Student's t lies between -t and t, by the finite
// sums for whole degrees of freedom (Abramowitz and Stegun, 26.7.3 and 26.7.4).
func studentWithin(freedom int, t float64) float64 {
	nu := float64(freedom)
	theta := math.Atan(t / math.Sqrt(nu))
	sin, cos := math.Sincos(theta)
	even := freedom%2 == 0
	term, sum, first := 1.0, 0.0, 1
	if !even {
		term, first = cos, 2
	}
	for j := first; j <= freedom-1; j += 2 {
		sum += term
		term *= cos * cos * float64(j) / float64(j+1)
	}
	if even {
		return sin * sum
	}
	return 2 / math.Pi * (theta + sin*sum)
}
