package profileio

import "bytes"

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
	thread    int32
	frames    []int32 // from the leaf to the root
	since     int64   // in nanoseconds
	preempted bool
}

// sleeps keeps the sample of a context switch until its thread runs again.
func (p *scriptReader) sleeps() {
	p.waiting[p.tid] = wait{thread: p.thread, frames: append([]int32(nil), p.frames...), since: p.weight}
}

// switched takes a line of the kernel's own record of a switch,
//
//	COMM PID/TID TIME: PERF_RECORD_SWITCH OUT preempt
//
// and reports whether it is one. The kernel writes the sample of a switch first, then
// the record that the thread is out, and later the one that it is in.
func (p *scriptReader) switched(line []byte) bool {
	before, after, found := bytes.Cut(line, []byte(": PERF_RECORD_SWITCH "))
	if !found {
		return false
	}
	p.flush()
	words := bytes.Fields(before)
	if len(words) < 2 {
		p.fault("a switch without a thread or without a time")
		return true
	}
	_, tid, ok := threadNumber(words[len(words)-2])
	at := append(bytes.Clone(words[len(words)-1]), ':')
	if !ok || !isTime(at) {
		p.fault("a switch without a thread or without a time")
		return true
	}
	w, waits := p.waiting[string(tid)]
	switch {
	case !waits: // it was recorded from its middle on
	case bytes.HasPrefix(after, []byte("OUT")):
		w.preempted = bytes.Contains(after, []byte("preempt"))
		p.waiting[string(tid)] = w
	default:
		delete(p.waiting, string(tid))
		p.wakes(w, nanoseconds(at)-w.since)
	}
	return true
}

// wakes counts a wait that is over.
func (p *scriptReader) wakes(w wait, took int64) {
	took = max(took, 0)
	if w.preempted {
		p.script.Waits.Preempted += took
		return
	}
	p.script.Waits.Blocked += took
	p.script.Samples++
	p.script.stacks.add(w.thread, w.frames, took)
}
