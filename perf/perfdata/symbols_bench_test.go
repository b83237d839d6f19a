package perfdata

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// bigUnits and bigFunctions make a program of about 40 MB of .debug_info.
const (
	bigUnits     = 250
	bigFunctions = 18
)

// bigProgram links copies of one compiled unit, whose functions are renamed: what takes the
// time is debug information, and compiling 250 units would take minutes.
func bigProgram(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	var source strings.Builder
	source.WriteString(`#include <vector>
#include <string>
#include <map>
#include <algorithm>
template<int N> static inline double leaf(double x) { return x*1.0001 + N; }
template<int N> static inline double mid(double x, std::vector<double> &v) { for (auto &e : v) x = leaf<N>(x) + e; v.push_back(x); return leaf<N+1>(x); }
`)
	for f := range bigFunctions {
		fmt.Fprintf(&source, "__attribute__((noinline)) double f%d(double x, std::vector<double> &v, std::map<int, std::string> &m) {\n"+
			"\tx = mid<%d>(x, v); m[%d] = \"a\" + std::to_string(x); std::sort(v.begin(), v.end()); return x + m.size() + mid<%d>(x, v);\n}\n", f, f, f, f+100)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	write("unit.cpp", source.String())
	write("main.cpp", "int main() {}\n")
	run(b, dir, "g++", "-O2", "-g", "-c", "unit.cpp")
	link := []string{"g++", "-o", "big", "main.cpp"}
	for u := range bigUnits {
		var names strings.Builder
		for line := range strings.Lines(run(b, dir, "nm", "unit.o")) {
			if f := strings.Fields(line); len(f) == 3 && f[1] == "T" {
				fmt.Fprintf(&names, "%s %s\n", f[2], strings.Replace(f[2], "_Z", fmt.Sprintf("_ZN4u%03d", u), 1)+"E")
			}
		}
		write("names", names.String())
		object := fmt.Sprintf("u%03d.o", u)
		run(b, dir, "objcopy", "--redefine-syms=names", "unit.o", object)
		link = append(link, object)
	}
	run(b, dir, link...)
	return filepath.Join(dir, "big")
}

// bigAddresses are about 18,000 addresses of the functions of the units.
func bigAddresses(b *testing.B, program string) []uint64 {
	b.Helper()
	s := symbolsOf(b, program)
	var own []symbol
	total := uint64(0)
	for _, f := range s.symbolTable().symbols {
		if strings.HasPrefix(f.name, "_ZN4u") {
			own = append(own, f)
			total += f.end - f.start
		}
	}
	var all []uint64
	for _, f := range own {
		for a := f.start; a < f.end; a += total / 14800 {
			all = append(all, a)
		}
	}
	return all
}

// BenchmarkFrames finds the functions and lines of 18,000 addresses in a program of 250
// units and 40 MB of debug information, from opening the file on. The peer is addr2line, if
// it is there, which gets all addresses at once.
func BenchmarkFrames(b *testing.B) {
	program := bigProgram(b)
	addresses := bigAddresses(b, program)
	info := symbolsOf(b, program).object.elf.Section(".debug_info").Size
	frames := 0
	b.Run("perfdata", func(b *testing.B) {
		var before, after, live runtime.MemStats
		for b.Loop() {
			f, err := OpenFile(program)
			if err != nil {
				b.Fatal(err)
			}
			o, err := openObject(program, f)
			if err != nil {
				b.Fatal(err)
			}
			runtime.GC()
			runtime.ReadMemStats(&before)
			s := newSymbols(o, OpenFile)
			s.prepare(addresses)
			var into []Frame
			frames = 0
			for _, a := range addresses {
				into = s.frames(a, into[:0])
				frames += len(into)
			}
			runtime.ReadMemStats(&after)
			runtime.GC()
			runtime.ReadMemStats(&live)
			if faults := s.faults(); len(faults) > 0 {
				b.Fatal(faults)
			}
			_, _ = s.Close(), o.Close()
		}
		b.ReportMetric(float64(info)/1e6, "info-MB")
		b.ReportMetric(float64(frames), "frames")
		b.ReportMetric(float64(len(addresses)), "addresses")
		b.ReportMetric(float64(after.HeapInuse-min(before.HeapInuse, after.HeapInuse))/1e6, "heap-MB")
		b.ReportMetric(float64(live.HeapAlloc-min(before.HeapAlloc, live.HeapAlloc))/1e6, "live-MB")
		b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/1e6, "alloc-MB")
	})
	b.Run("addr2line", func(b *testing.B) {
		var in strings.Builder
		for _, a := range addresses {
			fmt.Fprintf(&in, "%#x\n", a)
		}
		for b.Loop() {
			cmd := exec.CommandContext(b.Context(), testenv.Tool(b, "addr2line"), "-i", "-f", "-a", "-C", "-e", program)
			cmd.Stdin = strings.NewReader(in.String())
			if err := cmd.Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
