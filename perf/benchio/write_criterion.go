package benchio

import (
	"bytes"
	"fmt"
	"path"
	"slices"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// The structures of Criterion's files, after the serde structs of its version 0.5.
type (
	criterionBenchmark struct {
		Group      string           `json:"group_id"`
		Function   *string          `json:"function_id"`
		Value      *string          `json:"value_str"`
		Throughput *map[string]uint `json:"throughput"`
		Full       string           `json:"full_id"`
		Directory  string           `json:"directory_name"`
		Title      string           `json:"title"`
	}
	criterionSample struct {
		Mode  string    `json:"sampling_mode"`
		Iters []float64 `json:"iters"`
		Times []float64 `json:"times"`
	}
	criterionInterval struct {
		Level float64 `json:"confidence_level"`
		Lower float64 `json:"lower_bound"`
		Upper float64 `json:"upper_bound"`
	}
	criterionEstimate struct {
		Interval criterionInterval `json:"confidence_interval"`
		Point    float64           `json:"point_estimate"`
		Error    float64           `json:"standard_error"`
	}
)

// WriteCriterion returns the files of a tree as Criterion leaves it in target/criterion,
// by their names: of every workload that has a time of one operation, as the baseline
// called name ("new" is what the last run leaves). Tools that compare Criterion's
// baselines, such as critcmp, read it. Each value is a sample of one iteration. The
// interval of the median is that of the summary or, where there is none, the range.
func WriteCriterion(r *perf.Result, name string) (map[string][]byte, error) {
	files := map[string][]byte{}
	workloads := measuredBy(r)
	for i := range workloads {
		w := &workloads[i]
		at := slices.IndexFunc(w.Metrics, func(m perf.Series) bool {
			return len(m.Samples) > 0 && (m.Name == string(PerIteration) || m.Metric == perf.Wall)
		})
		if at < 0 {
			continue
		}
		dir := unusedDir(files, perf.FileName(w.Name), name)
		if err := criterionFiles(files, path.Join(dir, name), w.Name, dir, w.Metrics[at]); err != nil {
			return nil, fmt.Errorf("writing %q for Criterion: %w", w.Name, err)
		}
	}
	return files, nil
}

// unusedDir is a folder for a benchmark that no other has.
func unusedDir(files map[string][]byte, dir, name string) string {
	dir = dir[:min(len(dir), perf.MaxFileName-4)]
	if dir == "" || dir[0] == '.' {
		dir = "_" + dir
	}
	for base, n := dir, 2; files[path.Join(dir, name, benchmarkFile)] != nil; n++ {
		dir = fmt.Sprintf("%s-%d", base, n)
	}
	return dir
}

// criterionFiles makes the files of one benchmark.
func criterionFiles(files map[string][]byte, dir, id, folder string, m perf.Series) error {
	s := criterionSample{Mode: "Flat", Iters: make([]float64, len(m.Samples)), Times: make([]float64, len(m.Samples))}
	for i, v := range m.Samples {
		s.Iters[i], s.Times[i] = 1, v*1e9
	}
	for name, content := range map[string]any{
		benchmarkFile:    criterionBenchmark{Group: id, Full: id, Directory: folder, Title: id},
		sampleFile:       s,
		"estimates.json": criterionEstimates(m, s.Times),
	} {
		var buf bytes.Buffer
		if err := writeJSON(&buf, content); err != nil {
			return err
		}
		files[path.Join(dir, name)] = buf.Bytes()
	}
	return nil
}

// criterionEstimates are those that tools look for.
func criterionEstimates(m perf.Series, times []float64) map[string]*criterionEstimate {
	of := func(v float64) *criterionEstimate {
		return &criterionEstimate{criterionInterval{0.95, v, v}, v, 0}
	}
	mid := of(median(times))
	mid.Interval = criterionInterval{0.95, slices.Min(times), slices.Max(times)}
	if low, high, ok := bounds(m); ok {
		mid.Interval = criterionInterval{max(m.Summary.Confidence, 0.5), low * 1e9, high * 1e9}
	}
	centre := *mid
	centre.Point = mean(times)
	deviation, _ := stddev(times) // of one value it is 0, as the format wants a number
	deviations := make(perf.Sample, len(times))
	for i, v := range times {
		deviations[i] = max(v-mid.Point, mid.Point-v)
	}
	return map[string]*criterionEstimate{"mean": &centre, "median": mid, "median_abs_dev": of(median(deviations)), "slope": nil, "std_dev": of(deviation)}
}
