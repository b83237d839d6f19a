package perfdata

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// emptyMachine is the Opener of a machine without files.
func emptyMachine(path string) (File, error) {
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

// seeds are small programs with debug information; testdata/symbols/README.md says how they
// were made.
func seeds(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/symbols/*.elf")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no programs in testdata/symbols (%v)", err)
	}
	all := map[string][]byte{}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(p)] = data
	}
	return all
}

// TestSeeds looks at the small programs, on machines without a compiler too.
func TestSeeds(t *testing.T) {
	for name, data := range seeds(t) {
		o, err := openObject(name, memoryFile{bytes.NewReader(data)})
		if err != nil {
			t.Fatal(err)
		}
		s := newSymbols(o, emptyMachine)
		deepest := 0
		for _, f := range s.symbolTable().symbols {
			for a := f.start; a < f.end; a++ {
				frames := s.frames(a, nil)
				deepest = max(deepest, len(frames))
				if len(frames) == 0 || frames[len(frames)-1].Name != f.name || frames[0].File != "/src/program.c" || frames[0].Line == 0 {
					t.Errorf("%s: %#x: got %+v, want %s last", name, a, frames, f.name)
				}
			}
		}
		if deepest != 4 {
			t.Errorf("%s: %d frames at most, want 4: twice in both in called in entry", name, deepest)
		}
		if faults := s.faults(); len(faults) > 0 {
			t.Error(faults)
		}
	}
}

// TestConcurrent asks from several goroutines at once, for the race detector, and holds the
// answers against those to one.
func TestConcurrent(t *testing.T) {
	data := seeds(t)["dwarf5.elf"]
	open := func() *symbols {
		o, err := openObject("seed", memoryFile{bytes.NewReader(data)})
		if err != nil {
			t.Fatal(err)
		}
		return newSymbols(o, emptyMachine)
	}
	alone, shared := open(), open()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for _, f := range shared.symbolTable().symbols {
				for a := f.start; a < f.end; a++ {
					shared.frames(a, nil)
				}
			}
		})
	}
	all.Wait()
	addresses := []uint64{0, 1}
	for _, f := range alone.symbolTable().symbols {
		for a := f.start; a < f.end; a++ {
			addresses = append(addresses, a)
		}
	}
	atOnce, again := shared.framesOf(addresses), shared.framesOf(addresses)
	for i, a := range addresses {
		x := alone.frames(a, nil)
		for _, y := range [][]Frame{shared.frames(a, nil), atOnce[i], again[i]} {
			if !slices.Equal(x, y) {
				t.Errorf("%#x: %+v, then %+v", a, x, y)
			}
		}
	}
	shared.framesOf(addresses)
	for _, u := range shared.debugInfo().units {
		if u.read != nil {
			t.Errorf("the unit at %#x keeps what was read of it", u.offset)
		}
	}
}

// FuzzSymbols reads whole files: headers, tables, links.
func FuzzSymbols(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(data, uint64(0x401000))
	}
	f.Fuzz(func(t *testing.T, data []byte, addr uint64) {
		o, err := openObject("fuzz", memoryFile{bytes.NewReader(data)})
		if err != nil {
			return
		}
		s := newSymbols(o, emptyMachine)
		addresses := []uint64{addr}
		for i, x := range s.symbolTable().symbols {
			if i < 10 {
				addresses = append(addresses, x.start, x.end-1)
			}
		}
		for i, frames := range s.framesOf(addresses) {
			for _, x := range frames {
				if x.Line < 0 || x.Start < 0 {
					t.Errorf("%#x: %+v", addresses[i], x)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// fuzzSections are the sections that FuzzDWARF makes up.
var fuzzSections = []string{"info", "abbrev", "line", "str", "line_str", "ranges", "rnglists", "aranges"}

// FuzzDWARF reads sections of debug information that no ELF file holds together.
func FuzzDWARF(f *testing.F) {
	for name, data := range seeds(f) {
		o, err := openObject(name, memoryFile{bytes.NewReader(data)})
		if err != nil {
			f.Fatal(err)
		}
		var all [8][]byte
		for i, s := range fuzzSections {
			if all[i], _, err = o.section(".debug_" + s); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(all[0], all[1], all[2], all[3], all[4], all[5], all[6], all[7], uint64(0x401000))
	}
	f.Fuzz(func(t *testing.T, info, abbrev, line, str, lineStr, ranges, rnglists, aranges []byte, addr uint64) {
		walkDWARF(t, [][]byte{info, abbrev, line, str, lineStr, ranges, rnglists, aranges}, addr)
	})
}

// walkDWARF asks for what stands at some addresses of sections, which are in the order of
// fuzzSections.
func walkDWARF(t *testing.T, sections [][]byte, addr uint64) {
	t.Helper()
	d, _ := newDWARF(func(name string) *dwarfSection {
		s := &dwarfSection{path: "fuzz", name: ".debug_" + name}
		if i := slices.Index(fuzzSections, name); i >= 0 {
			s.data, s.size = sections[i], uint64(len(sections[i]))
		}
		return s
	})
	addresses := []uint64{addr}
	for i, x := range d.spans {
		if i < 20 {
			addresses = append(addresses, x.low, x.high-1, x.low+(x.high-x.low)/2)
		}
	}
	for _, a := range addresses {
		if n := len(d.frames(a, nil)); n > maxInlined+1 {
			t.Errorf("%#x: %d frames", a, n)
		}
	}
}

// TestDamagedDWARF changes a few bytes of sections, always the same ones.
func TestDamagedDWARF(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, data := range seeds(t) {
		o, err := openObject(name, memoryFile{bytes.NewReader(data)})
		if err != nil {
			t.Fatal(err)
		}
		var whole [][]byte
		for _, s := range fuzzSections {
			data, _, err := o.section(".debug_" + s)
			if err != nil {
				t.Fatal(err)
			}
			whole = append(whole, data)
		}
		for range 2000 {
			var damaged [][]byte
			for _, data := range whole {
				data = bytes.Clone(data)
				for range random.IntN(5) {
					if len(data) > 0 {
						data[random.IntN(len(data))] = byte(random.Uint32())
					}
				}
				damaged = append(damaged, data)
			}
			walkDWARF(t, damaged, 0x4000f0)
		}
	}
}

// TestHostileDWARF holds what is made to take long, or to go round in circles, against the
// budget.
func TestHostileDWARF(t *testing.T) {
	data := seeds(t)["dwarf4.elf"]
	o, err := openObject("circle", memoryFile{bytes.NewReader(data)})
	if err != nil {
		t.Fatal(err)
	}
	d, err := openDWARF(o)
	if err != nil {
		t.Fatal(err)
	}
	// A function of which a copy refers to itself, and so has no name.
	u := d.units[0]
	if err := u.readRoot(); err != nil {
		t.Fatal(err)
	}
	var e dwarfEntry
	at := u.first
	for ; at < u.end; at++ {
		if _, err := u.readEntryAt(at, &e, nil); err == nil && e.origin.form == formRef4 && e.name.form == 0 {
			break
		}
	}
	section := o.elf.Section(".debug_info")
	raw := bytes.Clone(data)
	entry := raw[section.Offset+at : section.Offset+u.end]
	ref := bytes.Index(entry, binary.LittleEndian.AppendUint32(nil, uint32(e.origin.n)))
	binary.LittleEndian.PutUint32(entry[ref:], uint32(at-u.offset))
	o, err = openObject("circle", memoryFile{bytes.NewReader(raw)})
	if err != nil {
		t.Fatal(err)
	}
	circle, err := openDWARF(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := circle.nameAt(at); err == nil || !strings.Contains(err.Error(), "steps") {
		t.Errorf("a circle of references ends in %v", err)
	}
	circle.room.Store(10)
	circle.frames(circle.spans[0].low, nil)
	if text := fmt.Sprint(circle.takeFaults()); !strings.Contains(text, "more memory than a file of its size") {
		t.Errorf("an empty room gives %s", text)
	}
	d.budget.Store(10)
	d.frames(d.spans[0].low, nil)
	if text := fmt.Sprint(d.takeFaults()); !strings.Contains(text, "steps") {
		t.Errorf("an empty budget gives %s", text)
	}
}

// FuzzGoTable reads tables of the runtime of Go.
func FuzzGoTable(f *testing.F) {
	f.Add([]byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8}, uint64(0x401000))
	for _, data := range seeds(f) {
		f.Add(data, uint64(0x401000))
	}
	file := seedELF(f)
	f.Fuzz(func(t *testing.T, data []byte, addr uint64) {
		o, err := openObject("fuzz", memoryFile{bytes.NewReader(file)})
		if err != nil {
			t.Fatal(err)
		}
		g := &goTable{data: data}
		if err := g.readHeader(o); err != nil {
			return
		}
		g.inlined = data
		if n := len(g.frames(addr, nil)); n > maxGoInlined+1 {
			t.Errorf("%d frames", n)
		}
	})
}

// seedELF is any one of the seeds.
func seedELF(t testing.TB) []byte {
	t.Helper()
	return seeds(t)["dwarf5.elf"]
}
