package perfdata

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// TestSchedSwitch checks that samples of the tracepoint of switches do without the kernel's
// own records of them.
func TestSchedSwitch(t *testing.T) {
	const samples = wroteSamples | sampleRaw
	attr := wroteAttr(kindTracepoint, 314)
	copy(attr[24:], longs(samples))
	w := &written{b: append([]byte(fileMagic), longs(pipeHeaderSize)...)}
	w.record(recHeaderAttr, 0, append(attr, longs(1)...))
	w.record(recEventUpdate, 0, slices.Concat(longs(updateName, 1), padded(schedSwitch)))
	w.comm(5, 5, 0, 0, "x").comm(6, 6, 0, 0, "y").mmap2(5, 0, 0x1000, 0x1000, 0, "/bin/x")
	sample := func(tid uint32, time, ip uint64, state uint64, prev, next uint32) {
		raw := make([]byte, switchSize)
		binary.LittleEndian.PutUint32(raw[switchPrevAt:], prev)
		binary.LittleEndian.PutUint64(raw[switchStateAt:], state)
		binary.LittleEndian.PutUint32(raw[switchNextAt:], next)
		body := longs(1, ip, uint64(tid)<<32|uint64(tid), time, 0, 1, 2, contextUser, ip)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(raw)+4))
		w.record(recSample, miscKernel, slices.Concat(body, raw, make([]byte, 4)))
	}
	sample(5, 100, 0x1001, 1, 5, 6)        // 5 waits, 6 runs
	sample(6, 130, 0x1002, 0x100, 6, 5)    // 6 is preempted
	sample(5, 150, 0x1003, 2, 5, 0)        // 5 waits, nobody runs
	sample(0, 190, 0x1004, 0, 0, 6)        // 6 goes on
	sample(6, 200, 0x1005, 1, 6, 0)        // it waits to the end, as does 5
	sample(6, 210, 0x1006, 1, 0x636f6d, 0) // another form
	r := readBytes(t, w.b, Options{OffCPU: true})
	wantStacks(t, r, "x;[x]+1 30")
	if want := (Waits{Blocked: 30, Preempted: 60, Open: 2}); r.Waits != want {
		t.Errorf("the waits are %+v, want %+v", r.Waits, want)
	}
	if !strings.Contains(strings.Join(r.Notes, "\n"), "--switch-events") {
		t.Errorf("the notes %q do not tell of the other form", r.Notes)
	}
}
