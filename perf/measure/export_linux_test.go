package measure

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Metrics of what Counting counts.
var (
	TaskClock  = perf.Metric{Name: "task clock", Unit: perf.Count, Better: perf.Lower} // in nanoseconds
	UserFaults = perf.Metric{Name: "faults of the program", Unit: perf.Count, Better: perf.Lower}
)

// Counting makes the runs of a test count events of the kernel's own, which every machine
// has, in the place of the hardware's.
func Counting() (undo func()) {
	set := func(events []countable) {
		r := <-turn
		r.events = events
		r.release()
	}
	set([]countable{
		{TaskClock, unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_TASK_CLOCK},
		{UserFaults, unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_PAGE_FAULTS},
		{perf.ContextSwitches, unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_CONTEXT_SWITCHES},
		{perf.PageFaults, unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_PAGE_FAULTS_MIN},
	})
	return func() { set(nil) }
}

// Without makes the runs of a test go without pidfd or ptrace, as on systems
// that lack them; undo restores them.
func Without(pidfd, ptrace bool) (undo func()) {
	set := func(noPidfd, noPtrace bool) {
		r := <-turn
		r.noPidfd, r.noPtrace = noPidfd, noPtrace
		r.release()
	}
	set(pidfd, ptrace)
	return func() { set(false, false) }
}

// WithPatience gives what outlives a command so much longer to end by itself.
func WithPatience(more time.Duration) (undo func()) {
	set := func(more time.Duration) {
		r := <-turn
		r.morePatience = more
		r.release()
	}
	set(more)
	return func() { set(0) }
}

// OnDeath has f called between the death of a timed command and its reaping.
func OnDeath(f func()) (undo func()) {
	set := func(f func()) {
		r := <-turn
		r.onDeath = f
		r.release()
	}
	set(f)
	return func() { set(nil) }
}

// WithoutFilter makes memory runs watch every system call, as where no filter can
// be put into the command.
func WithoutFilter() (undo func()) {
	set := func(no bool) {
		r := <-turn
		r.noFilter = no
		r.release()
	}
	set(true)
	return func() { set(false) }
}

// Abandon leaves the warden as the end of this process would.
func (w *Warden) Abandon() error { return w.pipe.Close() }
