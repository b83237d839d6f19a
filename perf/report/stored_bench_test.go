package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// The size of large stored results.
const storedBenchmarks, storedSamples = 1000, 100

// storedResult is a result with many samples, by whose seed they are drawn.
func storedResult(seed uint64) *perf.Result {
	r := rand.New(rand.NewPCG(1, seed))
	res := emptyRun()
	res.ID = fmt.Sprintf("run-%d", seed)
	for i := range storedBenchmarks {
		s := make(perf.Sample, storedSamples)
		for j := range s {
			s[j] = 1e-3 * math.Exp(0.05*r.NormFloat64())
		}
		res.Workloads = append(res.Workloads, ok(fmt.Sprintf("OfIndex%d", i), perf.Series{Metric: perf.Wall, Samples: s}))
	}
	return res
}

// goText is the result as go test -bench prints it.
func goText(r *perf.Result) []byte {
	var text bytes.Buffer
	for _, w := range r.Workloads {
		for _, v := range w.Metrics[0].Samples {
			fmt.Fprintf(&text, "Benchmark%s 1 %v ns/op\n", w.Name, 1e9*v)
		}
	}
	return text.Bytes()
}

// compareStored is what baseline:compare does with two files.
func compareStored(w io.Writer, files [2]string) error {
	var results [2]*perf.Result
	var errs [2]error
	var readers sync.WaitGroup
	for i, file := range files {
		readers.Go(func() {
			data, err := os.ReadFile(file)
			if err == nil {
				results[i], err = perf.DecodeResult(data, file)
			}
			errs[i] = err
		})
	}
	readers.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	compared := *results[1]
	compared.Comparisons = experiment.CompareUnpaired("main", results[0], results[1])
	return Comparison("main", results[0])(w, &compared, Style{})
}

// BenchmarkStored compares two stored results of 1000 benchmarks with 100 samples each,
// by this module and by benchstat, from the files to the text. The peer is a process, and
// starting one takes it some milliseconds.
func BenchmarkStored(b *testing.B) {
	dir := b.TempDir()
	var ours, theirs [2]string
	for i := range ours {
		r := storedResult(uint64(i))
		data, err := r.Encode()
		if err != nil {
			b.Fatal(err)
		}
		ours[i], theirs[i] = filepath.Join(dir, fmt.Sprintf("%d.json", i)), filepath.Join(dir, fmt.Sprintf("%d.txt", i))
		for file, content := range map[string][]byte{ours[i]: data, theirs[i]: goText(r)} {
			if err := os.WriteFile(file, content, 0o600); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("clnrm-perf", func(b *testing.B) {
		for b.Loop() {
			var out bytes.Buffer
			if err := compareStored(&out, ours); err != nil || out.Len() < 50*storedBenchmarks {
				b.Fatalf("%v, %d bytes", err, out.Len())
			}
		}
	})
	b.Run("benchstat", func(b *testing.B) {
		benchstat := testenv.Benchstat(b)
		for b.Loop() {
			out, err := exec.CommandContext(b.Context(), benchstat, theirs[:]...).Output()
			if err != nil || len(out) < 50*storedBenchmarks {
				b.Fatalf("benchstat: %v, %d bytes", err, len(out))
			}
		}
	})
}
