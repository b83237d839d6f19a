package profileio

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"
)

// Profile returns the samples in the pprof model. Sample types are samples/count and
// what a sample costs: cpu/nanoseconds for the clocks of the kernel, else the event
// with the unit count. Functions bear their full names, with the arguments; program,
// process and thread are labels (comm, pid, tid), so that tools can split by them.
func (s *Script) Profile() (*profile.Profile, error) {
	b := profileBuilder{
		profile:   &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, s.costType()}},
		modules:   map[string]*profile.Mapping{},
		functions: map[string]*profile.Function{},
		locations: make([]*profile.Location, len(s.stacks.frames)),
	}
	b.profile.DefaultSampleType = b.profile.SampleType[1].Type
	b.profile.PeriodType = b.profile.SampleType[1]
	var path []int32
	for at := range s.stacks.nodes {
		n := &s.stacks.nodes[at]
		if n.count == 0 {
			continue
		}
		var t int32
		t, path = s.stacks.path(int32(at), path[:0])
		sample := &profile.Sample{Value: []int64{n.count, n.weight}, Label: labels(s.stacks.threads[t])}
		for _, f := range path {
			sample.Location = append(sample.Location, b.location(f, s.stacks.frames[f]))
		}
		b.profile.Sample = append(b.profile.Sample, sample)
	}
	if err := b.profile.CheckValid(); err != nil {
		return nil, fmt.Errorf("the profile made of perf script: %w", err)
	}
	return b.profile, nil
}

// costType says what a sample's weight is.
func (s *Script) costType() *profile.ValueType {
	switch s.Event {
	case "cpu-clock", "task-clock":
		return &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}
	case "":
		return &profile.ValueType{Type: "event", Unit: "count"}
	}
	return &profile.ValueType{Type: s.Event, Unit: "count"}
}

func labels(t thread) map[string][]string {
	out := map[string][]string{}
	for _, l := range []struct{ key, value string }{{"comm", t.comm}, {"pid", t.pid}, {"tid", t.tid}} {
		if l.value != "" {
			out[l.key] = []string{l.value}
		}
	}
	return out
}

// profileBuilder hands out what samples refer to, each thing once.
type profileBuilder struct {
	profile   *profile.Profile
	modules   map[string]*profile.Mapping
	functions map[string]*profile.Function
	locations []*profile.Location // by frame
}

func (b *profileBuilder) location(id int32, f frame) *profile.Location {
	if l := b.locations[id]; l != nil {
		return l
	}
	l := &profile.Location{ID: uint64(len(b.profile.Location) + 1), Address: f.addr, Mapping: b.mapping(f.module)}
	parts := []string{fullName(f)}
	if f.symbol != unknown {
		parts = splitInlined(parts[0])
	}
	for i := len(parts) - 1; i >= 0; i-- { // what is inlined most deeply comes first
		l.Line = append(l.Line, profile.Line{Function: b.function(parts[i])})
	}
	b.locations[id] = l
	b.profile.Location = append(b.profile.Location, l)
	return l
}

// fullName is what a person calls the function of a frame.
func fullName(f frame) string {
	if f.symbol == unknown {
		return f.unknownName(FoldOptions{})
	}
	return fixRust(f.symbol, true)
}

func (b *profileBuilder) mapping(module string) *profile.Mapping {
	if module == "" || module == unknown {
		return nil
	}
	m := b.modules[module]
	if m == nil {
		m = &profile.Mapping{ID: uint64(len(b.profile.Mapping) + 1), File: module, HasFunctions: true}
		b.modules[module] = m
		b.profile.Mapping = append(b.profile.Mapping, m)
	}
	return m
}

func (b *profileBuilder) function(name string) *profile.Function {
	f := b.functions[name]
	if f == nil {
		f = &profile.Function{ID: uint64(len(b.profile.Function) + 1), Name: name, SystemName: name}
		b.functions[name] = f
		b.profile.Function = append(b.profile.Function, f)
	}
	return f
}

// FoldProfile writes a pprof profile of any origin as folded stacks: one line for each
// stack of functions, with the sum of the sample type that value is the index of. The
// root frame is the label comm, where samples have it. Characters that the form gives a
// meaning to are replaced.
func FoldProfile(p *profile.Profile, value int) map[string]int64 {
	out := map[string]int64{}
	var b strings.Builder
	for _, s := range p.Sample {
		b.Reset()
		if comm := s.Label["comm"]; len(comm) > 0 {
			b.WriteString(foldable(comm[0]))
		}
		for i := len(s.Location) - 1; i >= 0; i-- {
			l := s.Location[i]
			if len(l.Line) == 0 {
				writeFrame(&b, "0x"+strconv.FormatUint(l.Address, 16))
			}
			for j := len(l.Line) - 1; j >= 0; j-- {
				if f := l.Line[j].Function; f != nil {
					writeFrame(&b, foldable(f.Name))
				}
			}
		}
		out[b.String()] += s.Value[value]
	}
	return out
}

func writeFrame(b *strings.Builder, name string) {
	if b.Len() > 0 {
		b.WriteByte(';')
	}
	b.WriteString(name)
}

var foldReplacer = strings.NewReplacer(";", ":", "\n", " ", "\r", " ")

func foldable(name string) string { return foldReplacer.Replace(name) }
