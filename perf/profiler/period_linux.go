package profiler

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A command of a millisecond that is run again and again would always be met at the same
// moment of its life: the kernel begins to count when execve is done, and at 999 samples a
// second the first comes after a millisecond. Only the first period would have to be random,
// but an event that is inherited takes one period from the one that it is inherited from, for
// good. So each run has a period of its own, and a sample weighs not its period but what it
// stands for among all the runs.
//
// With a period P that is uniform between p and q, the k-th sample is at kP, and at a moment
// t of CPU time there are, in a run,
//
//	(1/j + … + 1/m) / (q-p)   samples, j = ⌈t/q⌉, m = ⌊t/p⌋
//
// One over that is the weight of a sample at t: then every moment from p on weighs the same,
// and the sum is the CPU time. What is before p is in no sample.

// periods are those of runs, in nanoseconds.
type periods struct {
	least, most float64
	seed        uint64
	at          float64 // from 0 to 1, where the last one is in the range
}

// The range of periods, as parts of the one that was asked for: on average there are half as
// many samples again. Shorter ones would meet more of the begin, and slow the program down
// by a tenth and more: a sample takes some microseconds.
const (
	shortestPeriod = 1.0 / 10
	longestPeriod  = 2
)

// newPeriods chooses around a frequency. At most is what the kernel allows.
func newPeriods(frequency, most int, seed uint64) *periods {
	if seed == 0 {
		seed = rand.Uint64()
	}
	usual := 1e9 / float64(frequency)
	return &periods{
		least: max(usual*shortestPeriod, 1e9/float64(most)), most: usual * longestPeriod,
		seed: seed, at: rand.New(rand.NewPCG(seed, 0)).Float64(),
	}
}

// next is the period of the next run. From a random begin they go by the golden section, which
// fills the range evenly however many there are: by chance alone a run more or less with many
// samples would make a difference of some percent.
func (p *periods) next() uint64 {
	_, p.at = math.Modf(p.at + math.Phi)
	return uint64(p.least + p.at*(p.most-p.least))
}

// weight is what the k-th sample of a period stands for.
func (p *periods) weight(k, period uint64) uint64 {
	t := float64(k) * float64(period)
	share := harmonic(math.Floor(t/p.least)) - harmonic(math.Ceil(t/p.most)-1)
	if share <= 0 { // a period that is none of these
		return period
	}
	return uint64((p.most - p.least) / share)
}

// harmonic is 1 + 1/2 + … + 1/n.
func harmonic(n float64) float64 {
	if n < 20 {
		sum := 0.0
		for i := 1.0; i <= n; i++ {
			sum += 1 / i
		}
		return sum
	}
	const euler = 0.57721566490153286
	return math.Log(n) + euler + 1/(2*n) - 1/(12*n*n)
}

// note says how the runs were sampled.
func (p *periods) note(runs int) string {
	return fmt.Sprintf("each of the %d runs was sampled at a period of its own, from %s to %s (seed %d), so that they are not all met at the same moments; the first %s of each thread are in no sample",
		runs, short(p.least), short(p.most), p.seed, short(p.least))
}

func short(ns float64) time.Duration { return time.Duration(ns).Round(10 * time.Microsecond) }

// differ makes each run have its own period. Cycles are counted at a frequency: the kernel
// begins with short periods, and finds the right one by itself.
func (s *sampler) differ(frequency int, seed uint64) {
	if s.name != cpuClock {
		return
	}
	s.periods = newPeriods(frequency, allowedFrequency(math.MaxInt), seed)
	for _, r := range s.rings {
		r.periods = s.periods
	}
}

// vary gives what is started next a period of its own.
func (s *sampler) vary() error {
	if s.periods == nil {
		return nil
	}
	period := s.periods.next()
	for _, r := range s.rings {
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(r.fd), unix.PERF_EVENT_IOC_PERIOD, uintptr(unsafe.Pointer(&period))); errno != 0 {
			return fmt.Errorf("setting the period of samples: %w", errno)
		}
	}
	return nil
}

// Where a sample says whose it is and what it weighs, by the order of what [sampled] names
// (perf_event_open(2), "PERF_RECORD_SAMPLE").
const (
	tidInSample    = 8 + 8 + 8 + 4
	periodInSample = 8 + 8 + 8 + 8 + 8 + 8
)

// A step is the last sample of a thread on the CPU of a ring.
type step struct{ k, period uint64 }

// mostSteps bounds how many threads are known at once.
const mostSteps = 1 << 16

// weighed is what the sample weighs whose period is at a place in the ring.
type weighed struct{ at, weight uint64 }

// weigh notes what a sample weighs.
func (r *ring) weigh(at uint64) {
	mask := uint64(len(r.data)) - 1
	tid := binary.NativeEndian.Uint32(r.data[(at+tidInSample)&mask:])
	period := binary.NativeEndian.Uint64(r.data[(at+periodInSample)&mask:])
	s := r.steps[tid]
	if s.period != period {
		s = step{0, period} // it is of another run
	}
	s.k++
	if r.steps == nil || len(r.steps) >= mostSteps {
		r.steps = map[uint32]step{}
	}
	r.steps[tid] = s
	r.weights = append(r.weights, weighed{at + periodInSample, r.periods.weight(s.k, period)})
}
