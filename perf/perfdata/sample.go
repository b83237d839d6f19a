package perfdata

import (
	"fmt"
	"math/bits"
)

// A sample is what a record of one holds. Its slices are valid as long as the record is.
type sample struct {
	event     *event
	ip        uint64
	pid, tid  uint32
	time      uint64
	cpu       uint32
	period    uint64
	values    []byte // of counters, in the event's read format
	callchain []byte // addresses, 8 bytes each
	raw       []byte // of a tracepoint
	regsABI   uint64
	regs      []byte // 8 bytes each, those that the event's mask says
	stack     []byte // from the stack pointer on
}

// cutError says which part of a sample does not fit into it.
type cutError struct {
	part         string
	needs, there int
}

func (e *cutError) Error() string {
	return fmt.Sprintf("%s of a sample needs %d bytes where %d are left", e.part, e.needs, e.there)
}

// parser takes the parts of a sample off, one by one.
type parser struct {
	b   []byte
	err *cutError
}

// take is the next n bytes. Once it was asked for more than there is, everything is empty.
func (p *parser) take(part string, n uint64) []byte {
	if p.err != nil || n > uint64(len(p.b)) {
		if p.err == nil {
			p.err = &cutError{part, int(min(n, 1<<31)), len(p.b)}
		}
		return nil
	}
	out := p.b[:n:n]
	p.b = p.b[n:]
	return out
}

func (p *parser) word(part string) uint64 {
	b := p.take(part, 8)
	if b == nil {
		return 0
	}
	return order.Uint64(b)
}

// words is n times size bytes, without a product that wraps.
func (p *parser) words(part string, n, size uint64) []byte {
	if n > uint64(len(p.b)) {
		return p.take(part, n)
	}
	return p.take(part, n*size)
}

// parse takes the body of a sample apart (perf_event_open(2), PERF_RECORD_SAMPLE). The
// parts come in a fixed order, each only if the event asked for it.
func (s *sample) parse(e *event, body []byte) error {
	*s = sample{event: e, period: e.period}
	if e.freq {
		s.period = 1
	}
	p := parser{b: body}
	has := func(bit uint64) bool { return e.sampleType&bit != 0 }
	if has(sampleIdentifier) {
		p.word("the identifier")
	}
	if has(sampleIP) {
		s.ip = p.word("the address")
	}
	if has(sampleTID) {
		if b := p.take("the thread", 8); b != nil {
			s.pid, s.tid = order.Uint32(b), order.Uint32(b[4:])
		}
	}
	if has(sampleTime) {
		s.time = p.word("the time")
	}
	if has(sampleAddr) {
		p.word("the data address")
	}
	if has(sampleID) {
		p.word("the id")
	}
	if has(sampleStreamID) {
		p.word("the id of the stream")
	}
	if has(sampleCPU) {
		s.cpu = uint32(p.word("the CPU"))
	}
	if has(samplePeriod) {
		s.period = p.word("the period")
	}
	if has(sampleRead) {
		s.values = p.counters(e.readFormat)
	}
	if has(sampleCallchain) {
		s.callchain = p.words("the call chain", p.word("the call chain"), 8)
	}
	s.parseRest(&p, has)
	if p.err != nil {
		return p.err
	}
	return nil
}

// parseRest takes what stands behind the call chain.
func (s *sample) parseRest(p *parser, has func(uint64) bool) {
	if has(sampleRaw) {
		if b := p.take("the payload", 4); b != nil {
			s.raw = p.take("the payload", uint64(order.Uint32(b)))
		}
	}
	if has(sampleBranchStack) {
		p.branches(s.event.branchType)
	}
	if has(sampleRegsUser) {
		s.regsABI, s.regs = p.registers(s.event.regsUser)
	}
	if has(sampleStackUser) {
		s.stack = p.stack()
	}
	for _, one := range []uint64{sampleWeight | sampleWeightStruct, sampleDataSrc, sampleTransaction} {
		if has(one) {
			p.word("a value")
		}
	}
	if has(sampleRegsIntr) {
		p.registers(s.event.regsIntr)
	}
	for _, one := range []uint64{samplePhysAddr, sampleCgroup, sampleDataPageSize, sampleCodePageSize} {
		if has(one) {
			p.word("a value")
		}
	}
	if has(sampleAux) {
		p.take("the trace", p.word("the trace"))
	}
	// What a later kernel adds stands behind all that.
}

// counters takes the values of an event or of its group (perf_event_open(2), "Reading
// results").
func (p *parser) counters(format uint64) []byte {
	const part = "the values of counters"
	each := uint64(8)
	for _, bit := range []uint64{readID, readLost} {
		if format&bit != 0 {
			each += 8
		}
	}
	times := uint64(8 * bits.OnesCount64(format&(readEnabled|readRunning)))
	if format&readGroup == 0 {
		return p.take(part, each+times)
	}
	whole := p.b
	n := p.word(part)
	p.take(part, times)
	p.words(part, n, each)
	if p.err != nil {
		return nil
	}
	return whole[:len(whole)-len(p.b)]
}

func (p *parser) branches(kind uint64) {
	const part = "the branch stack"
	n := p.word(part)
	if kind&branchHWIndex != 0 {
		p.word(part)
	}
	p.words(part, n, 24)
	if kind&branchCounters != 0 {
		p.words(part, n, 8)
	}
}

func (p *parser) registers(mask uint64) (abi uint64, regs []byte) {
	if abi = p.word("the registers"); abi == 0 {
		return 0, nil // a thread of the kernel has none
	}
	return abi, p.words("the registers", uint64(bits.OnesCount64(mask)), 8)
}

// stack takes a dump, of which only the first part may have been filled.
func (p *parser) stack() []byte {
	const part = "the stack"
	size := p.word(part)
	if size == 0 {
		return nil
	}
	data := p.take(part, size)
	return data[:min(p.word(part), uint64(len(data)))]
}
