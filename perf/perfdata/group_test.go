package perfdata

import (
	"encoding/binary"
	"slices"
	"testing"
)

// TestGroups: samples of one event that hold what others have counted.
func TestGroups(t *testing.T) {
	const samples = wroteSamples | sampleRead
	const format = readGroup | readID | readEnabled | readRunning
	attr := func(config, flags uint64) []byte {
		b := wroteAttr(kindSoftware, config)
		copy(b[24:], longs(samples, format))
		binary.LittleEndian.PutUint64(b[40:], flagSampleIDAll|flags)
		return b
	}
	recording := func(flags uint64) []byte {
		w := &written{b: append([]byte(fileMagic), longs(pipeHeaderSize)...)}
		w.record(recHeaderAttr, 0, append(attr(0, flags), longs(1)...)).record(recHeaderAttr, 0, append(attr(2, flags), longs(2)...))
		w.comm(5, 5, 0, 0, "x").mmap2(5, 0, 0x1000, 0x1000, 0, "/bin/x")
		for i, v := range []struct {
			tid          uint32
			ip           uint64
			clock, fault uint64
		}{{5, 0x1001, 100, 3}, {5, 0x1002, 250, 3}, {6, 0x1003, 300, 10}} {
			w.record(recSample, miscUser, slices.Concat(
				longs(1, v.ip, uint64(v.tid)<<32|5, uint64(i+1), 0, 10),
				longs(2, 1000, 1000, v.clock, 1, v.fault, 2), // two values, the times, and each with its id
				longs(2, contextUser, v.ip)))
		}
		return w.b
	}
	for _, tc := range []struct {
		name, event string
		flags       uint64
		want        []string
	}{
		{"the first", "", 0, []string{"x;[x]+1 100", "x;[x]+2 150", "x;[x]+3 50"}},
		{"another", "page-faults", 0, []string{"x;[x]+1 3", "x;[x]+3 7"}},
		{"inherited", "page-faults", flagInherit, []string{"x;[x]+1 3", "x;[x]+3 10"}}, // thread 6 has a counter of its own
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := readBytes(t, recording(tc.flags), Options{Event: tc.event})
			wantStacks(t, r, tc.want...)
			if len(r.Others) != 1 || r.Faulty != 0 {
				t.Errorf("others %v, faults %v", r.Others, r.Faults)
			}
		})
	}
}
