package proof

import (
	"math"
	"math/rand/v2"
)

// A scenario is a kind of machine: a source of run times of one and the same program,
// one after another. Only their ratios matter, so a quiet machine gives about 1.
type scenario struct {
	name string
	// weak says that nobody has to find 2 % here within the budget: the wall time of a
	// program that other work on the machine pushes from CPU to CPU.
	weak bool
	runs func(r *rand.Rand) func() float64
}

// simulated are the five models of noise, in the order of how much they hurt.
var simulated = []scenario{
	{name: "quiet", runs: quiet},
	{name: "ci-vm", runs: sharedVM},
	{name: "neighbour", runs: neighbour},
	{name: "thermal", runs: thermal},
	{name: "bursty", runs: bursty},
}

// quiet is half a percent of independent noise and an interrupt now and then.
func quiet(r *rand.Rand) func() float64 {
	return func() float64 { return math.Exp(0.005*r.NormFloat64()) * spike(r, 0.01, 0.05, 3) }
}

// sharedVM is the virtual machine of a CI service: a level that wanders (AR(1), ρ 0.9,
// 2 %), jitter of 1 %, one run in twenty held up for long, and 3 % of drift in a
// session of 400 runs.
func sharedVM(r *rand.Rand) func() float64 {
	level, t := autoregressive(r, 0.9, 0.02), 0.0
	return func() float64 {
		t++
		return math.Exp(level()+0.01*r.NormFloat64()+0.03*t/400) * spike(r, 0.05, 0.05, 1.5)
	}
}

// neighbour is another tenant who takes 15 % for some twenty runs at a time, on top of
// correlated noise and heavier spikes.
func neighbour(r *rand.Rand) func() float64 {
	level, busy := autoregressive(r, 0.8, 0.02), regime(r, 20)
	return func() float64 {
		return math.Exp(level()+0.01*r.NormFloat64()+0.15*busy()) * spike(r, 0.08, 0.05, 1.3)
	}
}

// thermal is a processor that slows down by 8 % as it gets warm, and then wanders.
func thermal(r *rand.Rand) func() float64 {
	t, walk := 0.0, 0.0
	return func() float64 {
		t++
		walk += 0.001 * r.NormFloat64()
		return math.Exp(0.08*(1-math.Exp(-t/60)) + walk + 0.005*r.NormFloat64())
	}
}

// bursty is 25 % more for about three runs at a time.
func bursty(r *rand.Rand) func() float64 {
	busy := regime(r, 3)
	return func() float64 { return math.Exp(0.01*r.NormFloat64() + 0.25*busy()) }
}

// spike is 1, or with a chance of p a factor of more: one plus size times a Pareto
// variable, whose mean is infinite from an exponent of 1 down.
func spike(r *rand.Rand, p, size, exponent float64) float64 {
	if r.Float64() >= p {
		return 1
	}
	return 1 + size*math.Pow(1-r.Float64(), -1/exponent)
}

// autoregressive is an AR(1) process with the standard deviation sd, from its
// stationary distribution on.
func autoregressive(r *rand.Rand, rho, sd float64) func() float64 {
	x, fresh := sd*r.NormFloat64(), sd*math.Sqrt(1-rho*rho)
	return func() float64 {
		x = rho*x + fresh*r.NormFloat64()
		return x
	}
}

// regime is 0 or 1 and stays so for dwell steps on average.
func regime(r *rand.Rand, dwell float64) func() float64 {
	state := float64(r.IntN(2))
	return func() float64 {
		if r.Float64() < 1/dwell {
			state = 1 - state
		}
		return state
	}
}
