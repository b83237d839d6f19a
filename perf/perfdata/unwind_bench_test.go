package perfdata

import (
	"encoding/binary"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	delve "github.com/go-delve/delve/pkg/dwarf/frame"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// rustCompiler is the library with Rust's compiler, one of the largest that are at hand:
// C++ and Rust, some 150 MB.
func rustCompiler(t testing.TB) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), testenv.Tool(t, "rustc"), "--print=sysroot").Output()
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "lib", "librustc_driver-*.so"))
	if err != nil || len(paths) == 0 {
		testenv.Missing(t, "rustc", "there is no librustc_driver beside it")
	}
	return paths[0]
}

// BenchmarkUnwindTable loads the table of a library, and beside it lets Delve parse the
// same bytes. "rows" also runs the steps of all functions, which no profile needs.
func BenchmarkUnwindTable(b *testing.B) {
	for name, find := range map[string]func(testing.TB) string{
		"libc":      func(t testing.TB) string { return systemLibrary(t, "libc.so.6") },
		"libstdc++": func(t testing.TB) string { return systemLibrary(t, "libstdc++.so.6") },
		"rustc":     rustCompiler,
	} {
		b.Run(name, func(b *testing.B) {
			o := mustOpenObject(b, find(b))
			defer o.Close()
			table, err := loadUnwindTable(o)
			if err != nil {
				b.Fatal(err)
			}
			b.Run("load", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := loadUnwindTable(o); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(table.fdes)), "functions")
			})
			b.Run("rows", func(b *testing.B) {
				b.ReportAllocs()
				rows := 0
				for b.Loop() {
					u := newUnwinder()
					for _, f := range table.fdes {
						u.search(table, table.base+uint64(f.start))
					}
					rows = len(u.tables[table].rows)
				}
				b.ReportMetric(float64(rows), "rows")
			})
			b.Run("delve", func(b *testing.B) {
				b.ReportAllocs()
				s := table.sections[0]
				for b.Loop() {
					entries, err := delve.Parse(s.data, binary.LittleEndian, 0, wordSize, s.bases.section)
					if err != nil {
						b.Fatal(err)
					}
					sort.Slice(entries, func(i, j int) bool { return entries[i].Begin() < entries[j].Begin() })
				}
			})
		})
	}
}

// BenchmarkWalk walks the stacks of a C++ program at the places where a debugger stopped
// it: warm, as in a long recording, and cold, with an unwinder that knows nothing yet.
func BenchmarkWalk(b *testing.B) {
	program := compileProgram(b, "g++", "forms.cc", "-O2", "-g", "-fomit-frame-pointer", "-pthread")
	s := stepThrough(b, program, "all:200:37", "thrower:100:3", "in_thread:60:1")
	at := s.mapped(b)
	walkAll := func(u *unwinder) (frames int) {
		var ips []uint64
		for i := range s.steps {
			ips, _ = u.walk(ips[:0], &s.steps[i].regs, s.steps[i].stack, at)
			frames += len(ips)
		}
		return frames
	}
	for _, name := range []string{"warm", "cold"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			u := newUnwinder()
			walkAll(u)
			frames := 0
			for b.Loop() {
				if name == "cold" {
					u = newUnwinder()
				}
				frames += walkAll(u)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(frames), "ns/frame")
			b.ReportMetric(float64(frames)/float64(b.N*len(s.steps)), "frames/stack")
		})
	}
}
