package profileio

import (
	"bytes"
	"fmt"
	"io"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// ScriptOptions say what to take from the text of perf script.
type ScriptOptions struct {
	// Event names the event whose samples are wanted; empty means the first that
	// occurs. Modifiers, as the u in cycles:u, may be left out.
	Event string
	// Addresses keeps the address of each frame. It costs time and memory where one
	// function is met at many addresses.
	Addresses bool
	// Threads keeps process and thread of each sample; otherwise only the name of the
	// program.
	Threads bool
	// OffCPU makes a sample cost the time until its thread runs again. The samples have
	// to be of context switches, and the text has to hold the times, and the switches
	// themselves (perf record --switch-events, perf script --show-switch-events).
	OffCPU bool
}

// A Script is what the text of perf script says.
type Script struct {
	// Event is the event that the samples are of, and Others those that were left out,
	// in the order in which they occur.
	Event  string
	Others []string
	// Samples is how many there are, and Lost how many perf says are missing.
	Samples, Lost int64
	// Waits says how the time off the CPU divides, where it was asked for.
	Waits Waits
	// Faults are the lines that make no sense. After the first maxFaults they are only
	// counted, in Faulty.
	Faults []*perf.SyntaxError
	Faulty int

	offCPU bool
	stacks *stacks
}

// maxFaults bounds how many bad lines are reported one by one.
const maxFaults = 20

// ReadPerfScript reads the text that perf script prints, of the default fields or a
// choice of them that has program and thread, event, and stacks with symbol and
// module. file is what the input is called in faults. A line that makes no sense is a
// fault and the rest is read; the error is that of the reader alone.
//
// The format has no description but perf's own source (builtin-script.c): a line with
// the program, the thread and the event, a line for each frame from the leaf to the
// root, and an empty line. Program names and module paths may hold anything, so both
// are found from what surrounds them.
func ReadPerfScript(r io.Reader, file string, o ScriptOptions) (*Script, error) {
	return newScriptReader(file, o).read(r)
}

func newScriptReader(file string, o ScriptOptions) *scriptReader {
	p := &scriptReader{
		script: &Script{stacks: newStacks(), offCPU: o.OffCPU}, file: file, options: o,
		events: map[string]bool{}, inline: -1, memo: newLineMemo(),
	}
	if o.OffCPU {
		p.waiting = map[string]wait{}
	}
	return p
}

func (p *scriptReader) read(r io.Reader) (*Script, error) {
	if err := eachLine(r, p.oneLine); err != nil {
		return nil, fmt.Errorf("reading %s after line %d: %w", p.file, p.line, err)
	}
	p.flush()
	p.script.Waits.Open = int64(len(p.waiting))
	return p.script, nil
}

// scriptReader reads the text of perf script, line by line.
type scriptReader struct {
	script  *Script
	file    string
	options ScriptOptions
	line    int // the current one, from 1

	memo    lineMemo
	modules moduleMemo
	last    thread // whose id is lastID, if that is not 0
	lastID  int32  // plus one

	waiting map[string]wait // threads that are off the CPU, by tid; nil: not asked for

	events map[string]bool // all that were met: whether their samples are wanted

	// The sample that is being read.
	open   bool // there is one
	wanted bool
	thread int32
	tid    string // kept for time off the CPU only, as weight is the time then
	weight int64
	frames []int32
	inline int32 // a frame on the sample's own line; -1: none
}

func (p *scriptReader) oneLine(line []byte) {
	p.line++
	if len(line) == 0 {
		p.flush()
		return
	}
	if line[0] != ' ' && line[0] != '\t' {
		p.header(line)
		return
	}
	p.indented(line)
}

// push adds a frame to the sample. A frame on the sample's own line was the payload
// of a tracepoint, if others follow.
func (p *scriptReader) push(id int32) {
	if p.inline >= 0 {
		p.inline = -1
		p.frames = p.frames[:0]
	}
	p.frames = append(p.frames, id)
}

// indented takes a line that does not begin at its margin: a frame; or a sample whose
// program perf has put to the right of its column, as it does without stacks.
func (p *scriptReader) indented(line []byte) {
	at, hash, known := p.memo.place(line)
	if known && p.open {
		p.push(at.frame)
		return
	}
	text := withoutIndent(line)
	if p.waiting != nil && p.switched(text) {
		return
	}
	f, ok := p.modules.parseFrame(text)
	if ok && p.open && !mayBeHeader(f) {
		id := p.frame(f)
		at.keep(hash, line, id)
		p.push(id)
		return
	}
	if len(bytes.TrimSpace(text)) == 0 {
		p.flush()
		return
	}
	if h, sample := parseHeader(text, true); sample {
		p.flush()
		p.begin(h)
		return
	}
	switch {
	case !ok:
		p.fault("neither a sample nor a frame of one")
	case !p.open:
		p.fault("a frame without a sample")
	default:
		p.push(p.frame(f))
	}
}

// mayBeHeader reports whether what was read as a frame could be a sample with a frame
// on its own line, of a program that is called like a hexadecimal number.
func mayBeHeader(f frameText) bool {
	return len(f.symbol) > 0 && f.symbol[0] >= '0' && f.symbol[0] <= '9'
}

// frame returns the id of a frame.
func (p *scriptReader) frame(f frameText) int32 {
	if !p.options.Addresses {
		f.addr = 0
	}
	return p.script.stacks.id(f.symbol, f.module, f.addr)
}

// header takes a line that begins at its margin.
func (p *scriptReader) header(line []byte) {
	p.flush()
	if p.waiting != nil && p.switched(line) {
		return
	}
	h, ok := parseHeader(line, line[0] == '#')
	switch {
	case ok:
		p.begin(h)
	case line[0] == '#': // a comment
	case bytes.Contains(line, []byte("PERF_RECORD_LOST")):
		p.script.Lost += lostIn(line)
	case bytes.Contains(line, []byte(": PERF_RECORD_")): // what happened beside the samples
	default:
		p.fault("neither a sample nor a comment")
	}
}

// begin opens a sample.
func (p *scriptReader) begin(h header) {
	p.open, p.wanted = true, p.takes(h.event)
	if !p.wanted {
		return
	}
	p.thread, p.weight = p.threadOf(h), h.period
	if p.waiting != nil {
		p.tid, p.weight = string(h.tid), h.time
	}
	if h.rest == nil {
		return
	}
	if f, ok := p.modules.parseFrame(h.rest); ok {
		p.inline = p.frame(f)
		p.frames = append(p.frames, p.inline)
	}
}

// threadOf returns the id of the thread of a sample, which is often that of the one before.
func (p *scriptReader) threadOf(h header) int32 {
	if !p.options.Threads {
		h.pid, h.tid = nil, nil
	}
	if t := &p.last; p.lastID != 0 && t.comm == string(h.comm) && t.pid == string(h.pid) && t.tid == string(h.tid) {
		return p.lastID - 1
	}
	p.last = thread{comm: string(h.comm), pid: string(h.pid), tid: string(h.tid)}
	id := p.script.stacks.threadOf(p.last)
	p.lastID = id + 1
	return id
}

// takes reports whether samples of an event are wanted.
func (p *scriptReader) takes(event []byte) bool {
	if wanted, met := p.events[string(event)]; met {
		return wanted
	}
	name := string(event)
	wanted := name == p.script.Event
	switch {
	case len(p.events) == 0 && p.options.Event == "":
		p.script.Event, wanted = name, true
	case p.options.Event != "":
		wanted = name == string(plainEvent([]byte(p.options.Event)))
		if wanted {
			p.script.Event = name
		}
	}
	if !wanted {
		p.script.Others = append(p.script.Others, name)
	}
	p.events[name] = wanted
	return wanted
}

// flush ends the sample.
func (p *scriptReader) flush() {
	if p.open && p.wanted && p.waiting != nil {
		p.sleeps()
	} else if p.open && p.wanted {
		p.script.Samples++
		p.script.stacks.add(p.thread, p.frames, p.weight)
	}
	p.open, p.inline, p.frames = false, -1, p.frames[:0]
}

func (p *scriptReader) fault(msg string) {
	p.script.Faulty++
	if len(p.script.Faults) < maxFaults {
		p.script.Faults = append(p.script.Faults, &perf.SyntaxError{File: p.file, Line: p.line, Msg: msg})
	}
}
