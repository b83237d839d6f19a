package perfdata

// Waits says how the time that threads were off the CPU divides, in nanoseconds.
type Waits struct {
	// Blocked is what the samples add up to: the thread waited for something.
	Blocked int64
	// Preempted is time in which the thread could have run, and another one did. It is
	// no property of the program, and in no sample.
	Preempted int64
	// Open is how many threads did not run again before the recording ended; how long
	// they waited is not known, and in no sample.
	Open int64
}

// A wait is a thread off the CPU.
type wait struct {
	at        int32 // its stack
	since     uint64
	preempted bool
}

// Flags of a record of a switch.
const (
	miscSwitchOut     = 1 << 13
	miscSwitchPreempt = 1 << 14
)

// sleeps keeps the sample of a context switch until its thread runs again. The kernel
// writes the sample of a switch first, then the record that the thread is out, and later
// the one that it is in.
//
// A sample of the tracepoint sched:sched_switch says itself which thread runs now, and why
// the other one does not: of these the kernel's records are not needed. Where only the
// program's threads were recorded, others' switches to them are missing, and what they wait
// for stays open.
func (c *collector) sleeps(x *sample, at int32) {
	w := wait{at: at, since: x.time}
	if x.event.name == schedSwitch {
		next, preempted, ok := switchTo(x)
		if !ok {
			c.unread++
			return
		}
		w.preempted = preempted
		if over, waits := c.waits[next]; waits && next != x.tid {
			delete(c.waits, next)
			c.wakes(over, x.time)
		}
		if x.tid == 0 {
			return // the idle thread, of which each CPU has one, waits for nothing
		}
	}
	c.waits[x.tid] = w
}

// schedSwitch is the tracepoint of switches.
const schedSwitch = "sched:sched_switch"

// Where the payload of a switch has the thread that ran, its state and the one that runs
// (/sys/kernel/tracing/events/sched/sched_switch/format).
const (
	switchPrevAt  = 24
	switchStateAt = 32
	switchNextAt  = 56
	switchSize    = 64
)

// switchTo takes the payload apart. It fails if that has another form, which shows in the
// thread that ran: it is the sample's.
func switchTo(x *sample) (next uint32, preempted, ok bool) {
	if len(x.raw) < switchSize || order.Uint32(x.raw[switchPrevAt:]) != x.tid {
		return 0, false, false
	}
	const states = 0xff // those that wait; what is above says that it could run
	return order.Uint32(x.raw[switchNextAt:]), order.Uint64(x.raw[switchStateAt:])&states == 0, true
}

// switched takes the kernel's own record of a switch. Whose it is stands behind it, in what
// each record ends with.
func (c *collector) switched(s *session, r record) {
	tid, ok := s.tidOf(r)
	time, timed := s.timeOf(r)
	if !ok || !timed {
		s.faults.add(r.offset, "a switch without a thread or without a time")
		return
	}
	w, waits := c.waits[tid]
	switch {
	case !waits: // it was recorded from its middle on
	case r.misc&miscSwitchOut != 0:
		w.preempted = r.misc&miscSwitchPreempt != 0
		c.waits[tid] = w
	default:
		delete(c.waits, tid)
		c.wakes(w, time)
	}
}

// wakes counts a wait that is over.
func (c *collector) wakes(w wait, now uint64) {
	took := int64(max(now, w.since) - w.since)
	if w.preempted {
		c.result.Waits.Preempted += took
		return
	}
	c.result.Waits.Blocked += took
	c.result.Samples++
	c.stacks.add(w.at, took)
}
