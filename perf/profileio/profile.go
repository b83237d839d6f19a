package profileio

import (
	"fmt"

	"github.com/google/pprof/profile"
)

// nanosecondsUnit is the unit of time in the pprof model.
const nanosecondsUnit = "nanoseconds"

// Profile returns the samples in the pprof model. Sample types are samples/count and
// what a sample costs: cpu/nanoseconds for the clocks of the kernel, else the event
// with the unit count. Functions bear their full names, with the arguments; program,
// process and thread are labels (comm, pid, tid), so that tools can split by them.
func (s *Script) Profile() (*profile.Profile, error) {
	b := profileBuilder{
		profile:   &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, s.costType()}},
		modules:   map[string]*profile.Mapping{},
		functions: map[functionKey]*profile.Function{},
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
	switch {
	case s.offCPU:
		return &profile.ValueType{Type: "off-cpu", Unit: nanosecondsUnit}
	case s.Event == "cpu-clock" || s.Event == "task-clock":
		return &profile.ValueType{Type: "cpu", Unit: nanosecondsUnit}
	case s.Event == "":
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
	functions map[functionKey]*profile.Function
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
		l.Line = append(l.Line, profile.Line{Function: b.function(functionKey{name: parts[i]})})
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

// functionKey is what tells functions apart.
type functionKey struct{ name, file string }

func (b *profileBuilder) function(key functionKey) *profile.Function {
	f := b.functions[key]
	if f == nil {
		f = &profile.Function{ID: uint64(len(b.profile.Function) + 1), Name: key.name, SystemName: key.name, Filename: key.file}
		b.functions[key] = f
		b.profile.Function = append(b.profile.Function, f)
	}
	return f
}

// newBuilder makes a profile of these sample types, of which the first one is the default.
func newBuilder(types ...*profile.ValueType) *profileBuilder {
	return &profileBuilder{
		profile:   &profile.Profile{SampleType: types, DefaultSampleType: types[0].Type, PeriodType: &profile.ValueType{Type: types[0].Type, Unit: types[0].Unit}},
		modules:   map[string]*profile.Mapping{},
		functions: map[functionKey]*profile.Function{},
	}
}

// addLocation makes a location of functions, of which the one that is inlined most deeply
// comes first.
func (b *profileBuilder) addLocation(address uint64, module string, lines []profile.Line) *profile.Location {
	l := &profile.Location{ID: uint64(len(b.profile.Location) + 1), Address: address, Mapping: b.mapping(module), Line: lines}
	b.profile.Location = append(b.profile.Location, l)
	return l
}

// finish checks the profile before anybody gets it.
func (b *profileBuilder) finish(file string) (*profile.Profile, error) {
	if err := b.profile.CheckValid(); err != nil {
		return nil, fmt.Errorf("the profile made of %s: %w", file, err)
	}
	return b.profile, nil
}
