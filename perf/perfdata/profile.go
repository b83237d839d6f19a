package perfdata

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"

	"github.com/google/pprof/profile"
)

// unknownName stands for a function of which not even the file is known, as perf has it.
const unknownName = "[unknown]"

// builder makes a profile of the stacks.
type builder struct {
	c         *collector
	names     *names
	profile   *profile.Profile
	mappings  map[mappingKey]*profile.Mapping
	functions map[profile.Function]*profile.Function
	locations []*profile.Location // by site
	weight    []int64             // by image: of the samples whose innermost site has no name there
}

// mappingKey tells mappings apart: files are mapped in segments, of which a few have more
// than one with code.
type mappingKey struct {
	file    string
	segment int
}

func newBuilder(c *collector) *builder {
	cost := &profile.ValueType{Type: c.result.Event, Unit: "count"}
	switch {
	case c.options.OffCPU:
		cost.Type, cost.Unit = "off-cpu", "nanoseconds"
	case c.chosen != nil && c.chosen.clock():
		cost.Type, cost.Unit = "cpu", "nanoseconds"
	}
	return &builder{
		c: c, mappings: map[mappingKey]*profile.Mapping{}, functions: map[profile.Function]*profile.Function{},
		locations: make([]*profile.Location, len(c.stacks.sites)),
		weight:    make([]int64, len(c.world.images.all)),
		profile: &profile.Profile{
			SampleType:        []*profile.ValueType{{Type: "samples", Unit: "count"}, cost},
			DefaultSampleType: cost.Type, PeriodType: cost,
		},
	}
}

func (b *builder) build() error {
	b.names = b.c.findNames()
	if m := b.c.world.main; m != nil && m.object != nil {
		b.mapping(m, 0, "")
	}
	st := b.c.stacks
	var path []int32
	for at := range st.nodes {
		n := &st.nodes[at]
		if n.count == 0 {
			continue
		}
		var owner int32
		owner, path = st.path(int32(at), path[:0])
		s := &profile.Sample{Value: []int64{n.count, n.weight}, Label: b.labels(st.owners[owner]), Location: make([]*profile.Location, 0, len(path))}
		for _, f := range path {
			s.Location = append(s.Location, b.location(f))
		}
		if len(path) > 0 && len(b.names.bySite[path[0]]) == 0 && st.sites[path[0]].image != nil {
			b.weight[st.sites[path[0]].image.id] += n.count
		}
		b.profile.Sample = append(b.profile.Sample, s)
	}
	if err := b.profile.CheckValid(); err != nil {
		return fmt.Errorf("the profile made of it: %w", err)
	}
	return nil
}

func (b *builder) labels(o owner) map[string][]string {
	out := map[string][]string{"comm": {o.comm}}
	if b.c.options.Threads {
		out["pid"] = []string{strconv.FormatInt(int64(int32(o.pid)), 10)}
		out["tid"] = []string{strconv.FormatInt(int64(int32(o.tid)), 10)}
	}
	if b.c.options.CPUs {
		out["cpu"] = []string{strconv.FormatUint(uint64(o.cpu), 10)}
	}
	return out
}

// location is the place of a site, with the functions there.
func (b *builder) location(id int32) *profile.Location {
	if l := b.locations[id]; l != nil {
		return l
	}
	f := b.c.stacks.sites[id]
	l := &profile.Location{ID: uint64(len(b.profile.Location) + 1), Address: f.address}
	if f.image != nil {
		l.Mapping = b.mapping(f.image, f.address, b.names.module[id])
	}
	for _, x := range b.names.bySite[id] {
		l.Line = append(l.Line, profile.Line{Function: b.function(x), Line: int64(x.Line)})
	}
	if len(l.Line) == 0 {
		name := unknownName
		if l.Mapping != nil {
			name = moduleOf(l.Mapping.File)
		}
		l.Line = []profile.Line{{Function: b.function(Frame{Name: name, Symbol: name})}}
	}
	b.locations[id] = l
	b.profile.Location = append(b.profile.Location, l)
	return l
}

func (b *builder) function(x Frame) *profile.Function {
	key := profile.Function{Name: x.Name, SystemName: x.Symbol, Filename: x.File, StartLine: int64(x.Start)}
	if key.SystemName == "" {
		key.SystemName = x.Name
	}
	f := b.functions[key]
	if f == nil {
		f = &profile.Function{ID: uint64(len(b.profile.Function) + 1), Name: key.Name, SystemName: key.SystemName, Filename: key.Filename, StartLine: key.StartLine}
		b.functions[key] = f
		b.profile.Function = append(b.profile.Function, f)
	}
	return f
}

// mapping is what an address is mapped from. Addresses are those of the file, so it
// begins where the file says that its segment does.
func (b *builder) mapping(i *image, address uint64, module string) *profile.Mapping {
	if module == "" {
		module = i.path
	}
	key := mappingKey{module, -1}
	var in elf.ProgHeader
	if i.object != nil {
		key.segment, in = codeSegment(i.object.elf, address)
	}
	m := b.mappings[key]
	if m == nil {
		m = &profile.Mapping{ID: uint64(len(b.profile.Mapping) + 1), File: module, BuildID: string(b.c.world.images.identity(i)),
			Start: in.Vaddr, Limit: in.Vaddr + in.Memsz, Offset: in.Off, HasFunctions: true}
		if m.BuildID == "" && i.object != nil {
			m.BuildID = string(i.object.buildID())
		}
		b.mappings[key] = m
		b.profile.Mapping = append(b.profile.Mapping, m)
	}
	if l := !b.c.options.NoInlined && i.symbols != nil; l {
		m.HasFilenames, m.HasLineNumbers, m.HasInlineFrames = true, true, true
	}
	return m
}

// codeSegment is the executable segment around an address; the first one where none is.
func codeSegment(e *elf.File, address uint64) (at int, h elf.ProgHeader) {
	at = -1
	for i, p := range e.Progs {
		if p.Type != elf.PT_LOAD || p.Flags&elf.PF_X == 0 {
			continue
		}
		if address >= p.Vaddr && address-p.Vaddr < p.Memsz {
			return i, p.ProgHeader
		}
		if at < 0 {
			at, h = i, p.ProgHeader
		}
	}
	return at, h
}

// Bounds of what is worth a note: how many images, and which share of the samples one has.
const (
	maxImageNotes = 5
	leastNoted    = 0.005
)

// notes are the sentences about what the profile does not tell.
func (c *collector) notes(b *builder) []string {
	out := c.walkNotes()
	if n := c.result.UnknownRecords; n > 0 {
		out = append(out, fmt.Sprintf("%d of %d records are of types that are not known here, and were skipped", n, c.result.Records))
	}
	if n := c.result.Throttled; n > 0 {
		out = append(out, fmt.Sprintf("the kernel held samples back %d times, as they took it too long", n))
	}
	if n := c.unread; n > 0 {
		out = append(out, fmt.Sprintf("%d samples of switches say in a form that is not known here which thread goes on, and are left out; record with -e context-switches --switch-events", n))
	}
	if n := c.incomplete; n > 0 {
		out = append(out, fmt.Sprintf("%d samples have no callers of the program: the kernel left them for later, and they never came", n))
	}
	out = append(out, c.unwindNotes()...)
	return append(out, c.imageNotes(b)...)
}

// unwindNotes says of which files the unwind information could not be read, or was broken
// where a stack led: the walks that met it go by the frame pointer, or have ended.
func (c *collector) unwindNotes() []string {
	var out []string
	for _, i := range c.world.images.all {
		if i.tableErr != nil && len(out) < maxImageNotes {
			out = append(out, fmt.Sprintf("not all unwind information of %s could be read: %v", i.path, i.tableErr))
		}
	}
	if c.walker.fault != nil {
		out = append(out, fmt.Sprintf("unwind information that a stack led to is broken: %v", c.walker.fault))
	}
	return out
}

// walkNotes says why walks through dumped stacks have ended before the root, where that
// is worth it.
func (c *collector) walkNotes() []string {
	var total int64
	for _, n := range c.result.Walks {
		total += n
	}
	var out []string
	for _, why := range slices.Sorted(maps.Keys(c.result.Walks)) {
		if share := float64(c.result.Walks[why]) / float64(max(total, 1)); why != WalkedToRoot && share >= leastNoted {
			out = append(out, fmt.Sprintf("%.1f %% of the dumped stacks could not be walked to their root: %s", 100*share, why))
		}
	}
	return out
}

// imageNotes says of the files without names that many samples lie in why they have none.
func (c *collector) imageNotes(b *builder) []string {
	var out []string
	order := slices.Clone(c.world.images.all)
	slices.SortStableFunc(order, func(x, y *image) int { return int(b.weight[y.id] - b.weight[x.id]) })
	for _, i := range order {
		share := float64(b.weight[i.id]) / float64(max(c.result.Samples, 1))
		if share < leastNoted || len(out) == maxImageNotes {
			break
		}
		why := "it has no symbols there"
		switch {
		case i.object != nil && i.object.elf.Section(".gnu_debugdata") != nil:
			why = "its symbols lie in .gnu_debugdata, compressed by xz, which is not read here; install its debug information"
		case errors.Is(i.err, fs.ErrNotExist):
			why = "the file is not here"
		case i.err != nil:
			why = i.err.Error()
		}
		out = append(out, fmt.Sprintf("%.1f %% of the samples lie in %s and have no name: %s", 100*share, i.path, why))
	}
	return out
}
