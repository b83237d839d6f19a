package perfdata

import "math/bits"

// Where events were recorded as a group (perf record -e '{a,b}:S'), only the first one has
// samples. Each holds what all have counted so far, and the samples of an event are what it
// has counted more since the last one, as perf script has it.

// counterKey tells counters apart. One that the threads of a program inherit counts for
// each of them.
type counterKey struct {
	id  uint64
	tid uint32
}

// group reports whether samples of the event hold the values of others, with their ids.
func (e *event) group() bool {
	const both = readGroup | readID
	return e.sampleType&sampleRead != 0 && e.readFormat&both == both
}

// grouped makes the sample one of the event that is wanted, of the group whose values it
// has, and reports whether that has counted anything.
func (c *collector) grouped(s *session, x *sample) bool {
	format, b := x.event.readFormat, x.values
	each := 16
	if format&readLost != 0 {
		each += 8
	}
	n := order.Uint64(b)
	b = b[8+8*bits.OnesCount64(format&(readEnabled|readRunning)):]
	var counted uint64
	for ; n > 0 && len(b) >= each; n-- {
		key := counterKey{id: order.Uint64(b[8:])}
		if x.event.inherited {
			key.tid = x.tid
		}
		value := order.Uint64(b)
		more := value - c.counters[key]
		if value < c.counters[key] {
			more = 0 // nothing counts down
		}
		c.counters[key] = value
		if e := s.byID[key.id]; e != nil && c.wanted(e) {
			counted += more
		}
		b = b[each:]
	}
	x.period = counted
	return counted > 0
}
