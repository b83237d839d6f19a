package perfdata

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

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
	program := testenv.LargeProgram(b, b.TempDir())
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
			frames = 0
			all := s.framesOf(addresses)
			for _, f := range all {
				frames += len(f)
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
