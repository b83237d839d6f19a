package perfdata

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// made is a sample that a test writes: the bytes of its body, and what is to be read of it.
type made struct {
	b    []byte
	want sample
}

func (m *made) word(v uint64) { m.b = binary.LittleEndian.AppendUint64(m.b, v) }

// makeSample writes a sample of an event as the kernel does (perf_output_sample in its
// kernel/events/core.c), with values that differ from each other.
func makeSample(e *event, rng *rand.Rand) *made {
	m := &made{want: sample{event: e, period: e.period}}
	if e.freq {
		m.want.period = 1
	}
	has := func(bit uint64) bool { return e.sampleType&bit != 0 }
	v := func() uint64 { return rng.Uint64() >> 1 }
	if has(sampleIdentifier) {
		m.word(7)
	}
	if has(sampleIP) {
		m.want.ip = v()
		m.word(m.want.ip)
	}
	if has(sampleTID) {
		m.want.pid, m.want.tid = 11, 12
		m.word(12<<32 | 11)
	}
	if has(sampleTime) {
		m.want.time = v()
		m.word(m.want.time)
	}
	if has(sampleAddr) {
		m.word(v())
	}
	if has(sampleID) {
		m.word(7)
	}
	if has(sampleStreamID) {
		m.word(v())
	}
	if has(sampleCPU) {
		m.want.cpu = 3
		m.word(3)
	}
	if has(samplePeriod) {
		m.want.period = v()
		m.word(m.want.period)
	}
	if has(sampleRead) {
		m.counters(e.readFormat)
	}
	if has(sampleCallchain) {
		m.word(3)
		from := len(m.b)
		for _, ip := range []uint64{contextUser, 0x1000, 0x2000} {
			m.word(ip)
		}
		m.want.callchain = slices.Clone(m.b[from:])
	}
	m.rest(e, has, v)
	return m
}

func (m *made) counters(format uint64) {
	from, n := len(m.b), uint64(1)
	if format&readGroup != 0 {
		n = 3
		m.word(n)
	} else {
		m.word(100)
	}
	for _, bit := range []uint64{readEnabled, readRunning} {
		if format&bit != 0 {
			m.word(200)
		}
	}
	for range n {
		if format&readGroup != 0 {
			m.word(100)
		}
		for _, bit := range []uint64{readID, readLost} {
			if format&bit != 0 {
				m.word(7)
			}
		}
	}
	m.want.values = slices.Clone(m.b[from:])
}

func (m *made) rest(e *event, has func(uint64) bool, v func() uint64) {
	if has(sampleRaw) {
		m.want.raw = []byte("payload with end 20b")
		m.b = binary.LittleEndian.AppendUint32(m.b, uint32(len(m.want.raw)))
		m.b = append(m.b, m.want.raw...)
	}
	if has(sampleBranchStack) {
		m.word(2)
		if e.branchType&branchHWIndex != 0 {
			m.word(v())
		}
		m.b = append(m.b, make([]byte, 2*24)...)
		if e.branchType&branchCounters != 0 {
			m.b = append(m.b, make([]byte, 2*8)...)
		}
	}
	if has(sampleRegsUser) {
		m.want.regsABI = abi64
		m.word(abi64)
		from := len(m.b)
		m.word(v())
		m.word(v())
		m.want.regs = slices.Clone(m.b[from:])
	}
	if has(sampleStackUser) {
		m.word(16)
		m.b = append(m.b, "12345678abcdefgh"...)
		m.word(8)
		m.want.stack = []byte("12345678")
	}
	for _, one := range []uint64{sampleWeight | sampleWeightStruct, sampleDataSrc, sampleTransaction} {
		if has(one) {
			m.word(v())
		}
	}
	if has(sampleRegsIntr) {
		m.word(0) // of a thread that has none
	}
	for _, one := range []uint64{samplePhysAddr, sampleCgroup, sampleDataPageSize, sampleCodePageSize} {
		if has(one) {
			m.word(v())
		}
	}
	if has(sampleAux) {
		m.word(8)
		m.word(v())
	}
}

// TestSampleTypes reads samples of many combinations of sample_type and read_format: each
// part alone, all but one, all, and some thousand at random.
func TestSampleTypes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const all = 1<<25 - 1
	types := []uint64{0, all}
	for bit := range 25 {
		types = append(types, 1<<bit, all&^(1<<bit))
	}
	for range 5000 {
		types = append(types, rng.Uint64()&all)
	}
	for i, kind := range types {
		e := &event{sampleType: kind, readFormat: uint64(i) % 32, freq: i%2 == 0, period: 4000, regsUser: 1<<6 | 1<<8, branchType: uint64(i%4) << 17 & (branchHWIndex | branchCounters)}
		m := makeSample(e, rng)
		var got sample
		if err := got.parse(e, m.b); err != nil {
			t.Fatalf("sample_type %#x, read_format %#x: %v", kind, e.readFormat, err)
		}
		if !sameSample(got, m.want) {
			t.Fatalf("sample_type %#x, read_format %#x reads\n%+v, want\n%+v", kind, e.readFormat, got, m.want)
		}
		// Of a sample that is cut off something is missing, unless that has no part in it.
		if len(m.b) > 0 {
			var cut *cutError
			if err := got.parse(e, m.b[:len(m.b)-1]); !errors.As(err, &cut) {
				t.Fatalf("sample_type %#x without its last byte: %v", kind, err)
			}
		}
	}
}

func sameSample(a, b sample) bool {
	return a.event == b.event && a.ip == b.ip && a.pid == b.pid && a.tid == b.tid && a.time == b.time && a.cpu == b.cpu && a.period == b.period &&
		bytes.Equal(a.values, b.values) && bytes.Equal(a.callchain, b.callchain) && bytes.Equal(a.raw, b.raw) &&
		a.regsABI == b.regsABI && bytes.Equal(a.regs, b.regs) && bytes.Equal(a.stack, b.stack)
}

// TestSampleSizesThatLie gives each part that has a size one which is too large.
func TestSampleSizesThatLie(t *testing.T) {
	for _, bit := range []uint64{sampleCallchain, sampleRaw, sampleBranchStack, sampleStackUser, sampleAux} {
		for _, size := range []uint64{1 << 20, 1 << 61, 1<<64 - 1} {
			b := binary.LittleEndian.AppendUint64(nil, size)
			var s sample
			var cut *cutError
			if err := s.parse(&event{sampleType: bit}, append(b, make([]byte, 64)...)); !errors.As(err, &cut) && bit != sampleRaw {
				t.Errorf("sample_type %#x with the size %#x: %v", bit, size, err)
			}
		}
	}
}

func TestEventNames(t *testing.T) {
	for _, tc := range []struct {
		kind, config uint64
		want         string
	}{{0, 0, "cycles"}, {0, 4<<32 | 1, "instructions"}, {1, 0, "cpu-clock"}, {1, 3, "context-switches"}, {4, 0xc0, "rc0"}, {2, 314, "tracepoint:314"}, {9, 1, "event:9:0x1"}} {
		if got := eventName(tc.kind, tc.config); got != tc.want {
			t.Errorf("event %d, %d is %q, want %q", tc.kind, tc.config, got, tc.want)
		}
	}
	for name, want := range map[string]string{"cycles:u": "cycles", "cycles:P": "cycles", "sched:sched_switch": "sched:sched_switch", "cpu-clock": "cpu-clock", "cpu/event=0x3c/": "cpu/event=0x3c/", ":u": ":u"} {
		if got := plainName(name); got != want {
			t.Errorf("the plain name of %q is %q, want %q", name, got, want)
		}
	}
}

// FuzzSample holds the parts of a sample against any bytes.
func FuzzSample(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, kind := range []uint64{1<<25 - 1, sampleCallchain | sampleRegsUser | sampleStackUser, sampleRead | sampleRaw} {
		f.Add(kind, uint64(31), makeSample(&event{sampleType: kind, readFormat: 31, regsUser: 1<<6 | 1<<8}, rng).b)
	}
	f.Fuzz(func(t *testing.T, kind, format uint64, b []byte) {
		e := &event{sampleType: kind, readFormat: format, regsUser: kind >> 8, branchType: format}
		var s sample
		if err := s.parse(e, b); err != nil && err.Error() == "" {
			t.Fatal("an error without a word")
		}
		for _, p := range [][]byte{s.values, s.callchain, s.raw, s.regs, s.stack} {
			if len(p) > len(b) {
				t.Fatalf("a part of %d bytes in %d", len(p), len(b))
			}
		}
	})
}
