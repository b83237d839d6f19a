package profileio

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A textShape says how the lines of a text of perf script repeat.
type textShape struct {
	name  string
	fresh float64 // share of lines with an address that was not there before
	names bool    // such a line names a function that was not there before, too
}

var textShapes = []textShape{
	{"repetitive", 0, false},
	{"28 % unique lines", 0.28, false},
	{"28 % unique functions", 0.28, true},
	{"mostly unique lines", 0.8, false},
	{"mostly unique functions", 0.8, true},
}

// synthetic is text of perf script of about size bytes.
func synthetic(size int, shape textShape) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for sample := 0; b.Len() < size; sample++ {
		fmt.Fprintf(&b, "program  4242/4243  [001]  1234.%06d:    1001001 cpu-clock:u: \n", sample)
		root := rng.IntN(20)
		for depth := range 18 {
			fn := (root*7 + depth*13) % 400
			offset := fn * 3
			name := fn
			if rng.Float64() < shape.fresh {
				offset = rng.IntN(1 << 20)
				if shape.names {
					name = 1000 + offset
				}
			}
			fmt.Fprintf(&b, "\t%16x program::module_%d::function_with_a_name_%d<alloc::string::String>+0x%x (/home/user/project/target/release/program)\n",
				0x55d000000000+fn*4096+offset, fn%31, name, offset)
		}
		b.WriteString("\n")
	}
	return b.Bytes()
}

// peers turn text of perf script into folded stacks. They are measured where they are
// installed.
var peers = []string{"inferno-collapse-perf", "stackcollapse-perf.pl"}

// BenchmarkPerfScriptToFolded measures the way from text to folded stacks, where lines
// repeat and where a part of them is new. cpu-MB/s is by CPU time, which other work on the
// machine changes less; with -cpu=1 it is what one core does.
func BenchmarkPerfScriptToFolded(b *testing.B) {
	for _, shape := range textShapes {
		text := synthetic(24<<20, shape)
		b.Run(shape.name+"/here", func(b *testing.B) {
			b.ReportAllocs()
			measured(b, len(text), syscall.RUSAGE_SELF, func() error {
				s, err := ReadPerfScript(bytes.NewReader(text), "in.txt", ScriptOptions{})
				if err != nil {
					return err
				}
				return s.WriteFolded(io.Discard, FoldOptions{})
			})
		})
		for _, peer := range peers {
			path, err := exec.LookPath(peer)
			if err != nil {
				continue
			}
			b.Run(shape.name+"/"+peer, func(b *testing.B) {
				in := filepath.Join(b.TempDir(), "in.txt")
				if err := os.WriteFile(in, text, 0o600); err != nil {
					b.Fatal(err)
				}
				measured(b, len(text), syscall.RUSAGE_CHILDREN, func() error {
					return exec.CommandContext(b.Context(), path, in).Run()
				})
			})
		}
	}
}

// measured reports how much of the input is done in a second of CPU time, of this process
// or of those that it has started.
func measured(b *testing.B, size, who int, once func() error) {
	b.SetBytes(int64(size))
	begin, n := cpuTime(b, who), 0
	for b.Loop() {
		if err := once(); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n)*float64(size)/1e6/(cpuTime(b, who)-begin).Seconds(), "cpu-MB/s")
}

func cpuTime(b *testing.B, who int) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
