package perfdata

import (
	"encoding/binary"
	"fmt"
)

// order is the byte order of the recordings that are read. Those of big-endian machines
// are refused: the bit fields in an event's attributes lie the other way round in them.
var order = binary.LittleEndian

// What a sample holds: perf_event_attr.sample_type (linux/perf_event.h).
const (
	sampleIP           = 1 << 0
	sampleTID          = 1 << 1
	sampleTime         = 1 << 2
	sampleAddr         = 1 << 3
	sampleRead         = 1 << 4
	sampleCallchain    = 1 << 5
	sampleID           = 1 << 6
	sampleCPU          = 1 << 7
	samplePeriod       = 1 << 8
	sampleStreamID     = 1 << 9
	sampleRaw          = 1 << 10
	sampleBranchStack  = 1 << 11
	sampleRegsUser     = 1 << 12
	sampleStackUser    = 1 << 13
	sampleWeight       = 1 << 14
	sampleDataSrc      = 1 << 15
	sampleIdentifier   = 1 << 16
	sampleTransaction  = 1 << 17
	sampleRegsIntr     = 1 << 18
	samplePhysAddr     = 1 << 19
	sampleAux          = 1 << 20
	sampleCgroup       = 1 << 21
	sampleDataPageSize = 1 << 22
	sampleCodePageSize = 1 << 23
	sampleWeightStruct = 1 << 24
)

// What is in the values of a counter that a sample carries: perf_event_attr.read_format.
const (
	readEnabled = 1 << 0
	readRunning = 1 << 1
	readID      = 1 << 2
	readGroup   = 1 << 3
	readLost    = 1 << 4
)

// What changes the form of a branch stack: perf_event_attr.branch_sample_type.
const (
	branchHWIndex  = 1 << 17
	branchCounters = 1 << 19
)

// Flags of perf_event_attr, by their bits.
const (
	flagInherit     = 1 << 1
	flagFreq        = 1 << 10
	flagSampleIDAll = 1 << 18
)

// Sizes of perf_event_attr: the first that was published, and more than any may have.
const (
	attrSizeLeast = 64
	attrSizeMost  = 4096
)

// An event is one that was recorded: its attributes, as perf_event_open(2) was given
// them, and its name.
type event struct {
	kind, config uint64 // type and config
	period       uint64 // of each sample, where freq is false
	freq         bool
	inherited    bool // by threads and processes that the program starts
	sampleType   uint64
	readFormat   uint64
	sampleIDAll  bool
	branchType   uint64
	regsUser     uint64 // mask of the registers that a sample has
	regsIntr     uint64
	name         string
	ids          []uint64
	// Where its id and the time lie in a sample, and in any other record the time; -1:
	// nowhere.
	idAt, timeAt, timeFromEnd int
}

// parseAttr reads perf_event_attr. Older ones are shorter, newer ones longer.
func parseAttr(b []byte) (*event, error) {
	if len(b) < attrSizeLeast {
		return nil, fmt.Errorf("the attributes of an event have %d bytes, less than the first version's %d", len(b), attrSizeLeast)
	}
	field := func(at int) uint64 {
		if at+8 > len(b) {
			return 0 // it was made before there was this field
		}
		return order.Uint64(b[at:])
	}
	flags := field(40)
	e := &event{
		kind: uint64(order.Uint32(b)), config: field(8), period: field(16), sampleType: field(24), readFormat: field(32),
		freq: flags&flagFreq != 0, inherited: flags&flagInherit != 0, sampleIDAll: flags&flagSampleIDAll != 0,
		branchType: field(72), regsUser: field(80), regsIntr: field(96),
	}
	e.name = eventName(e.kind, e.config)
	e.place()
	return e, nil
}

// place works out where id and time lie in the event's records (perf_event_open(2),
// "sample_id_all").
func (e *event) place() {
	e.idAt, e.timeAt, e.timeFromEnd = -1, -1, -1
	at := 0
	for _, bit := range []uint64{sampleIdentifier, sampleIP, sampleTID, sampleTime, sampleAddr, sampleID} {
		if e.sampleType&bit == 0 {
			continue
		}
		switch {
		case bit == sampleTime:
			e.timeAt = at
		case (bit == sampleIdentifier || bit == sampleID) && e.idAt < 0:
			e.idAt = at
		}
		at += 8
	}
	if !e.sampleIDAll || e.sampleType&sampleTime == 0 {
		return
	}
	e.timeFromEnd = 8
	for _, bit := range []uint64{sampleIdentifier, sampleCPU, sampleStreamID, sampleID} {
		if e.sampleType&bit != 0 {
			e.timeFromEnd += 8
		}
	}
}

// Kinds of events: perf_event_attr.type.
const (
	kindHardware   = 0
	kindSoftware   = 1
	kindTracepoint = 2
	kindCache      = 3
	kindRaw        = 4
)

// Names of events as perf-list(1) has them, by config.
var (
	hardwareEvents = []string{"cycles", "instructions", "cache-references", "cache-misses", "branches", "branch-misses", "bus-cycles", "stalled-cycles-frontend", "stalled-cycles-backend", "ref-cycles"}
	softwareEvents = []string{"cpu-clock", "task-clock", "page-faults", "context-switches", "cpu-migrations", "minor-faults", "major-faults", "alignment-faults", "emulation-faults", "dummy", "bpf-output", "cgroup-switches"}
)

// eventName is the name of an event that the recording does not name.
func eventName(kind, config uint64) string {
	switch {
	case kind == kindHardware && config&0xffffffff < uint64(len(hardwareEvents)):
		return hardwareEvents[config&0xffffffff] // above are the numbers of a hybrid CPU's units
	case kind == kindSoftware && config < uint64(len(softwareEvents)):
		return softwareEvents[config]
	case kind == kindTracepoint:
		return fmt.Sprintf("tracepoint:%d", config)
	case kind == kindRaw:
		return fmt.Sprintf("r%x", config)
	case kind == kindCache:
		return fmt.Sprintf("cache:%#x", config)
	}
	return fmt.Sprintf("event:%d:%#x", kind, config)
}

// clock reports whether a sample's weight is in nanoseconds.
func (e *event) clock() bool { return e.kind == kindSoftware && e.config <= 1 }
