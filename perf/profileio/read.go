package profileio

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/google/pprof/profile"
	"github.com/klauspost/compress/zstd"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/perfdata"
)

// A Format is what a file was recognised as.
type Format string

// The formats that can be read.
const (
	PerfScript Format = "perf script"
	PerfData   Format = "perf.data"
	Folded     Format = "folded stacks"
	Pprof      Format = "pprof"
	Heaptrack  Format = "heaptrack"
	DHAT       Format = "valgrind DHAT"
	Xctrace    Format = "xctrace"
)

// A Report says what was read, beside the profile.
type Report struct {
	Format Format
	// Event is what the samples are of: an event of perf, or the sample type that is
	// the profile's default one. Others are those that were left out or, in formats that
	// have all in one profile, the other sample types.
	Event  string
	Others []string
	// Samples is how many there are, and Lost how many the recorder says are missing.
	Samples, Lost int64
	// Walked is how many samples have stacks that were walked here, and Whole in how many
	// of them the walk came to the root, whether that has a name or not. Both are 0 where
	// the recorder has walked.
	Walked, Whole int64
	// Waits is about time off the CPU, where it was asked for.
	Waits Waits
	// Faults are the places that make no sense, at most maxFaults; Faulty counts all.
	Faults []*perf.SyntaxError
	Faulty int
	// Notes are sentences about what the profile does not tell.
	Notes []string
}

// fault notes what is wrong at a line.
func (r *Report) fault(file string, line int, format string, args ...any) {
	r.Faulty++
	if len(r.Faults) < maxFaults {
		r.Faults = append(r.Faults, &perf.SyntaxError{File: file, Line: line, Msg: fmt.Sprintf(format, args...)})
	}
}

// Options say what to take from a file.
type Options struct {
	// What is taken from any recording of perf: see [ScriptOptions].
	Event                      string
	Addresses, Threads, OffCPU bool
	// CPUs keeps the processor of each sample, which only perf.data has.
	CPUs bool
	// NoInlined leaves out functions that were inlined, and lines, which perf.data alone
	// has to look for.
	NoInlined bool
	// Open opens the files with the symbols of perf.data; nil: those of this machine.
	Open perfdata.Opener
}

func (o Options) script() ScriptOptions {
	return ScriptOptions{Event: o.Event, Addresses: o.Addresses, Threads: o.Threads, OffCPU: o.OffCPU}
}

// Read reads a profile of any of the formats, compressed by gzip or zstd or not, which
// it recognises by the content. file is what the input is called in faults and errors.
//
// Of what perf has recorded the first event is taken, or the one that the options name; in
// the other formats, which have all sample types in one profile, Event makes one the
// default type. Bad lines are faults in the report and the rest is read. The error is
// for what cannot be read at all. A file of perf.data is best given as it is, as what
// stands at its end is of use from the beginning on.
func Read(r io.Reader, file string, o Options) (*profile.Profile, Report, error) {
	in, format, err := recognised(r, file)
	if err != nil {
		return nil, Report{}, err
	}
	p, report, err := readAs(format, in, file, o)
	report.Format = format
	if err != nil {
		return nil, report, err
	}
	if !format.ofPerf() {
		err = report.choose(p, file, o.Event)
	}
	return p, report, err
}

// ofPerf reports whether a format has one sample type of the several that were recorded.
func (f Format) ofPerf() bool { return f == PerfScript || f == PerfData }

// recognised finds out the format. What is read further is r itself where it can be read
// at any place, as it is needed for perf.data.
func recognised(r io.Reader, file string) (io.Reader, Format, error) {
	in, packed, err := open(r)
	if err != nil {
		return nil, "", fmt.Errorf("reading %s: %w", file, err)
	}
	format, err := recognise(in)
	if err != nil {
		return nil, "", fmt.Errorf("reading %s: %w", file, err)
	}
	if format == PerfData && !packed && perfdata.Seekable(r) {
		return r, format, nil
	}
	return in, format, nil
}

// readAs reads a stream of a known format.
func readAs(format Format, in io.Reader, file string, o Options) (*profile.Profile, Report, error) {
	switch format {
	case PerfData:
		return readPerfData(in, file, o)
	case Folded:
		return readFolded(in, file)
	case Pprof:
		return readPprof(in, file)
	case Heaptrack:
		return readHeaptrack(in, file)
	case DHAT:
		return readDHAT(in, file)
	case Xctrace:
		return readXctrace(in, file)
	}
	s, err := ReadPerfScript(in, file, o.script())
	if err != nil {
		return nil, Report{}, err
	}
	report := s.report()
	if err := report.missing(file, o.Event); err != nil {
		return nil, report, err
	}
	p, err := s.Profile()
	return p, report, err
}

func (s *Script) report() Report {
	return Report{Format: PerfScript, Event: s.Event, Others: s.Others, Samples: s.Samples, Lost: s.Lost, Waits: s.Waits, Faults: s.Faults, Faulty: s.Faulty}
}

// missing reports that nothing is of the event that was asked for.
func (r *Report) missing(file, event string) error {
	if event == "" || r.Event != "" {
		return nil
	}
	return fmt.Errorf("reading %s: there is no sample of the event %q; there are samples of %q", file, event, r.Others)
}

// Fold reads a profile as [Read] does, and writes it as folded stacks. What perf has
// recorded comes in the dialect of its peers exactly (see [Script.WriteFolded]).
func Fold(w io.Writer, r io.Reader, file string, o Options, f FoldOptions) (Report, error) {
	in, format, err := recognised(r, file)
	if err != nil {
		return Report{}, err
	}
	need := f.needs()
	o.Addresses, o.Threads = need.Addresses, need.Threads
	if format == PerfScript {
		return foldScript(w, in, file, o, f)
	}
	p, report, err := readAs(format, in, file, o)
	report.Format = format
	if err == nil && format != PerfData {
		err = report.choose(p, file, o.Event)
	}
	if err != nil {
		return report, err
	}
	value, err := p.SampleIndexByName("")
	if err != nil {
		return report, fmt.Errorf("folding %s: %w", file, err)
	}
	switch format {
	case PerfData:
		return report, writeFolded(w, foldPerfData(p, value, f))
	case Xctrace:
		return report, writeFolded(w, foldProfile(p, value, f, peerName))
	}
	return report, WriteFoldedProfile(w, p, value, f)
}

func foldScript(w io.Writer, in io.Reader, file string, o Options, f FoldOptions) (Report, error) {
	s, err := ReadPerfScript(in, file, o.script())
	if err != nil {
		return Report{}, err
	}
	report := s.report()
	if err := report.missing(file, o.Event); err != nil {
		return report, err
	}
	return report, s.WriteFolded(w, f)
}

// choose makes one sample type the default one, and names the others.
func (r *Report) choose(p *profile.Profile, file, event string) error {
	if len(p.SampleType) == 0 {
		return fmt.Errorf("reading %s: the profile has no sample type", file)
	}
	i, err := p.SampleIndexByName(event)
	if err != nil {
		var have []string
		for _, t := range p.SampleType {
			have = append(have, t.Type)
		}
		return fmt.Errorf("reading %s: there is no sample type %q; there are %q", file, event, have)
	}
	p.DefaultSampleType, r.Event = p.SampleType[i].Type, p.SampleType[i].Type
	for j, t := range p.SampleType {
		if j != i {
			r.Others = append(r.Others, t.Type)
		}
	}
	return nil
}

// How deep compression may be nested, how much of a file is looked at to recognise it,
// and how much memory a frame of zstd may ask for: heaptrack's are of 8 MB.
const (
	maxNested = 3
	sniffed   = 64 << 10
	maxWindow = 128 << 20
)

// open takes the compression off, and reports whether there was any.
func open(r io.Reader) (in *bufio.Reader, packed bool, err error) {
	in = bufio.NewReaderSize(r, sniffed)
	for range maxNested {
		head, err := in.Peek(4)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, false, err
		}
		switch {
		case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
			z, err := gzip.NewReader(in)
			if err != nil {
				return nil, false, fmt.Errorf("its gzip header: %w", err)
			}
			in, packed = bufio.NewReaderSize(z, sniffed), true
		case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
			z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
			if err != nil {
				return nil, false, fmt.Errorf("its zstd header: %w", err)
			}
			in, packed = bufio.NewReaderSize(z, sniffed), true
		default:
			return in, packed, nil
		}
	}
	return in, packed, nil
}

// recognise tells the format from the first bytes.
func recognise(in *bufio.Reader) (Format, error) {
	head, err := in.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
	switch {
	case len(text) == 0:
		return "", errors.New("it is empty: nothing was recorded")
	case perfdata.Recognise(head):
		return PerfData, nil
	case isHeaptrack(head):
		return Heaptrack, nil
	case text[0] == '{' && bytes.Contains(text, []byte(`"dhatFileVersion"`)):
		return DHAT, nil
	case text[0] == '<' && bytes.Contains(text, []byte("<trace-query-result")):
		return Xctrace, nil
	case isPprof(head):
		return Pprof, nil
	case isFolded(head):
		return Folded, nil
	case isScript(head):
		return PerfScript, nil
	}
	return "", errors.New("its format is none of: perf.data, perf script text, pprof, folded stacks, heaptrack, DHAT, xctrace export")
}

// isScript reports whether a line at the head is the sample of perf script's text, or
// one of its comments.
func isScript(head []byte) bool {
	for line := range bytes.Lines(head) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			continue
		}
		if bytes.HasPrefix(line, []byte("# ========")) || bytes.HasPrefix(line, []byte("# cmdline")) {
			return true
		}
		if _, ok := parseHeader(bytes.TrimLeft(line, " \t"), true); ok {
			return true
		}
		if line[0] == '#' || line[0] == ' ' || line[0] == '\t' {
			continue
		}
		if _, ok := parseHeader(line, false); ok {
			return true
		}
		if bytes.Contains(line, []byte(": PERF_RECORD_")) {
			return true
		}
	}
	return false
}
