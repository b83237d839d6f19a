package profileio

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"
)

// xctraceReader reads the XML of xctrace export: rows of a time profile, or of a
// profile of CPU cycles. Whatever an element says is said once: it has an id then, and
// others of the same kind refer to it. So what has an id is kept until the end.
type xctraceReader struct {
	file   string
	xml    *xml.Decoder
	report Report
	build  *profileBuilder
	cycles bool // the rows cost cycles, and not time

	values    map[string]int64 // weights
	texts     map[string]string
	threads   map[string]xcThread
	processes map[string]xcProcess
	binaries  map[string]string
	frames    map[string]*profile.Location
	stacks    map[string][]*profile.Location
}

type xcThread struct {
	name, tid string
	process   xcProcess
}

type xcProcess struct{ name, pid string }

// xcRow is one sample.
type xcRow struct {
	thread     xcThread
	process    xcProcess
	core       string
	state      string
	weight     int64
	weighed    bool
	stack      []*profile.Location
	backtraced bool
}

func readXctrace(in io.Reader, file string) (*profile.Profile, Report, error) {
	r := xctraceReader{
		file: file, xml: xml.NewDecoder(in),
		build:  newBuilder(&profile.ValueType{Type: "samples", Unit: "count"}, &profile.ValueType{Type: "cpu", Unit: nanosecondsUnit}),
		values: map[string]int64{}, texts: map[string]string{}, threads: map[string]xcThread{}, processes: map[string]xcProcess{},
		binaries: map[string]string{}, frames: map[string]*profile.Location{}, stacks: map[string][]*profile.Location{},
	}
	if err := r.read(); err != nil {
		line, _ := r.xml.InputPos()
		return nil, r.report, fmt.Errorf("reading %s as an export of xctrace, line %d: %w", file, line, err)
	}
	if r.cycles {
		r.build.profile.SampleType[1] = &profile.ValueType{Type: "cycles", Unit: "count"}
	}
	p, err := r.build.finish(file)
	return p, r.report, err
}

// read walks through the document to its rows.
func (r *xctraceReader) read() error {
	for {
		token, err := r.xml.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "row" {
			if err := r.row(); err != nil {
				return err
			}
		}
	}
}

// children calls take for each element below the one that was just begun, up to its
// end. take has to read the element to its own end.
func (r *xctraceReader) children(take func(xml.StartElement) error) error {
	for {
		token, err := r.xml.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			if err := take(t); err != nil {
				return err
			}
		}
	}
}

func (r *xctraceReader) row() error {
	var row xcRow
	err := r.children(func(e xml.StartElement) (err error) {
		switch e.Name.Local {
		case "thread":
			row.thread, err = r.thread(e)
		case "process":
			row.process, err = r.process(e)
		case "core":
			row.core, err = r.text(e)
		case "thread-state":
			row.state, err = r.text(e)
		case "weight", "cycle-weight":
			row.weighed = true
			r.cycles = r.cycles || e.Name.Local == "cycle-weight"
			row.weight, err = r.value(e)
		case "backtrace", "tagged-backtrace":
			row.backtraced = true
			row.stack, err = r.backtrace(e)
		default:
			err = r.xml.Skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	r.add(row)
	return nil
}

// add makes a sample of a row. One without a stack was taken when there was none.
func (r *xctraceReader) add(row xcRow) {
	if !row.backtraced {
		return
	}
	if !row.weighed {
		line, _ := r.xml.InputPos()
		r.report.fault(r.file, line, "a sample without a weight")
	}
	if row.process == (xcProcess{}) {
		row.process = row.thread.process
	}
	r.report.Samples++
	s := &profile.Sample{Location: row.stack, Value: []int64{1, row.weight}, Label: map[string][]string{}}
	for _, l := range []struct{ key, value string }{
		{"process", row.process.name}, {"pid", row.process.pid}, {"thread", row.thread.name}, {"tid", row.thread.tid}, {"core", row.core}, {"state", row.state},
	} {
		if l.value != "" {
			s.Label[l.key] = []string{l.value}
		}
	}
	r.build.profile.Sample = append(r.build.profile.Sample, s)
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return strings.ToValidUTF8(a.Value, "\ufffd")
		}
	}
	return ""
}

// shared returns what an element refers to, or reads it and keeps it by its id.
func shared[T any](r *xctraceReader, known map[string]T, e xml.StartElement, read func() (T, error)) (T, error) {
	if ref := attr(e, "ref"); ref != "" {
		v, ok := known[ref]
		if !ok {
			line, _ := r.xml.InputPos()
			r.report.fault(r.file, line, "%s refers to %q, which is not there", e.Name.Local, ref)
		}
		return v, r.xml.Skip()
	}
	v, err := read()
	if id := attr(e, "id"); id != "" && err == nil {
		known[id] = v
	}
	return v, err
}

// text is an element as Instruments shows it.
func (r *xctraceReader) text(e xml.StartElement) (string, error) {
	return shared(r, r.texts, e, func() (string, error) { return attr(e, "fmt"), r.xml.Skip() })
}

// value is an element with a whole number in it.
func (r *xctraceReader) value(e xml.StartElement) (int64, error) {
	return shared(r, r.values, e, func() (int64, error) {
		var text string
		if err := r.xml.DecodeElement(&text, &e); err != nil {
			return 0, err
		}
		v, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err == nil && v >= 0 && v <= 1<<53 {
			return v, nil
		}
		line, _ := r.xml.InputPos()
		r.report.fault(r.file, line, "the weight %q is no number", text)
		return 0, nil
	})
}

func (r *xctraceReader) thread(e xml.StartElement) (xcThread, error) {
	return shared(r, r.threads, e, func() (xcThread, error) {
		t := xcThread{name: attr(e, "fmt")}
		err := r.children(func(e xml.StartElement) (err error) {
			switch e.Name.Local {
			case "tid":
				t.tid, err = r.text(e)
			case "process":
				t.process, err = r.process(e)
			default:
				err = r.xml.Skip()
			}
			return err
		})
		return t, err
	})
}

func (r *xctraceReader) process(e xml.StartElement) (xcProcess, error) {
	return shared(r, r.processes, e, func() (xcProcess, error) {
		p := xcProcess{name: attr(e, "fmt")}
		if at := strings.LastIndex(p.name, " ("); at > 0 { // NAME (PID)
			p.name = p.name[:at]
		}
		err := r.children(func(e xml.StartElement) (err error) {
			if e.Name.Local == "pid" {
				p.pid, err = r.text(e)
				return err
			}
			return r.xml.Skip()
		})
		return p, err
	})
}

// backtrace reads the frames of a stack, from the leaf to the root. Newer versions put
// a tagged one around it.
func (r *xctraceReader) backtrace(outer xml.StartElement) ([]*profile.Location, error) {
	return shared(r, r.stacks, outer, func() ([]*profile.Location, error) {
		var out []*profile.Location
		err := r.children(func(e xml.StartElement) error {
			switch e.Name.Local {
			case "frame":
				l, err := r.frame(e)
				if l != nil && len(out) < maxDepth {
					out = append(out, l)
				}
				return err
			case "backtrace":
				if outer.Name.Local != "tagged-backtrace" { // no stack holds one, however deep a document nests
					return r.xml.Skip()
				}
				inner, err := r.backtrace(e)
				out = inner
				return err
			}
			return r.xml.Skip()
		})
		return out, err
	})
}

func (r *xctraceReader) frame(e xml.StartElement) (*profile.Location, error) {
	return shared(r, r.frames, e, func() (*profile.Location, error) {
		name := attr(e, "name")
		address, _ := strconv.ParseUint(strings.TrimPrefix(attr(e, "addr"), "0x"), 16, 64) // 0 means unknown
		var binary, file string
		var line int64
		err := r.children(func(e xml.StartElement) (err error) {
			switch e.Name.Local {
			case "binary":
				binary, err = shared(r, r.binaries, e, func() (string, error) {
					path := attr(e, "path")
					if path == "" {
						path = attr(e, "name")
					}
					return path, r.xml.Skip()
				})
			case "source":
				line, _ = strconv.ParseInt(attr(e, "line"), 10, 32) // 0 means unknown
				err = r.children(func(e xml.StartElement) (err error) { file, err = r.path(e); return err })
			default:
				err = r.xml.Skip()
			}
			return err
		})
		if name == "" {
			name = unknownIn(binary)
		}
		f := r.build.function(functionKey{fixRust(name, true), file})
		f.SystemName = name
		return r.build.addLocation(address, binary, []profile.Line{{Function: f, Line: line}}), err
	})
}

// path is the text of an element.
func (r *xctraceReader) path(e xml.StartElement) (string, error) {
	return shared(r, r.texts, e, func() (string, error) {
		var text string
		err := r.xml.DecodeElement(&text, &e)
		return strings.ToValidUTF8(text, "\ufffd"), err
	})
}
