package targets

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// maxSource is the largest file that is searched: source that people write is smaller.
const maxSource = 1 << 20

// skippedDirs hold no source of the project.
var skippedDirs = []string{"target", "vendor", "node_modules", "testdata"}

// goBenchmark matches the head of a Go benchmark, and rustName a name that Criterion is
// given in a benchmark.
var (
	goBenchmark = regexp.MustCompile(`(?m)^func Benchmark(\w*)\(`)
	rustName    = regexp.MustCompile(`(?:bench_function|bench_with_input|benchmark_group|BenchmarkId::new)\s*\(\s*(?:BenchmarkId::new\s*\(\s*)?"([^"\\\n]+)"`)
)

// locate fills in where the benchmarks stand below root, so that a report can point at
// them. A name that stands in two places, or in none, is left without one: a wrong line
// is worse than none. Whatever cannot be read is passed over for the same reason.
func locate(root string, workloads []perf.WorkloadResult) {
	found := map[string][]perf.Source{}
	eachSource(root, func(fsys fs.FS, name string) {
		switch {
		case strings.HasSuffix(name, "_test.go"):
			scanSource(fsys, name, goBenchmark, "go ", found)
		case path.Ext(name) == ".rs" && slices.Contains(strings.Split(path.Dir(name), "/"), "benches"):
			scanSource(fsys, name, rustName, "rs ", found)
		}
	})
	for i := range workloads {
		w := &workloads[i]
		for _, key := range sourceKeys(w.Name) {
			if places := found[key]; len(places) == 1 {
				w.Source = places[0]
				break
			}
		}
	}
}

// eachSource visits the files below root that may be source of the project.
func eachSource(root string, visit func(fsys fs.FS, name string)) {
	fsys := os.DirFS(root)
	_ = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // a folder that cannot be listed has no place to point at
		}
		switch {
		case !d.IsDir():
			visit(fsys, name)
		case name != "." && (strings.HasPrefix(d.Name(), ".") || slices.Contains(skippedDirs, d.Name())):
			return fs.SkipDir
		}
		return nil
	})
}

// readSource reads a file that is no larger than people write; nil if it cannot.
func readSource(fsys fs.FS, name string) []byte {
	if info, err := fs.Stat(fsys, name); err != nil || info.Size() > maxSource || !info.Mode().IsRegular() {
		return nil
	}
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil
	}
	return data
}

// scanSource notes where the names of a file stand.
func scanSource(fsys fs.FS, name string, pattern *regexp.Regexp, kind string, found map[string][]perf.Source) {
	data := readSource(fsys, name)
	for _, m := range pattern.FindAllSubmatchIndex(data, -1) {
		key := kind + string(data[m[2]:m[3]])
		found[key] = append(found[key], perf.Source{File: name, Line: 1 + bytes.Count(data[:m[2]], []byte("\n"))})
	}
}

// procs is the number of processors at the end of a Go benchmark's name.
var procs = regexp.MustCompile(`(@.*)?-\d+$`)

// titled matches the name of a Go benchmark as compareRefs writes it, the folder of its
// package before it.
var titled = regexp.MustCompile(`(?:^|\.)Benchmark(\w+)`)

// sourceKeys are the names under which a benchmark may stand in the source, the most
// exact first: "Encode/json-8" is in func BenchmarkEncode, Criterion's "enc/json" the
// function "json" of the group "enc".
func sourceKeys(name string) []string {
	if m := titled.FindStringSubmatch(name); m != nil {
		return []string{"go " + m[1]}
	}
	base, _, _ := strings.Cut(procs.ReplaceAllString(name, ""), "/")
	keys := []string{"go " + strings.TrimPrefix(base, "Benchmark"), "rs " + name}
	parts := strings.Split(name, "/")
	for _, part := range slices.Backward(parts[min(1, len(parts)):]) {
		keys = append(keys, "rs "+part)
	}
	return append(keys, "rs "+parts[0])
}
