package targets

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// A benchmark that stands in one place is found there, and one that stands in two, or in
// a file that is none of the project's, is not.
func TestLocate(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"codec/codec_test.go":       "package codec\n\nfunc BenchmarkEncode(b *testing.B) {}\nfunc BenchmarkTwice(b *testing.B) {}\n",
		"other/other_test.go":       "package other\n\n// no benchmark: func BenchmarkComment(\nfunc BenchmarkTwice(b *testing.B) {}\n",
		"vendor/x/x_test.go":        "package x\nfunc BenchmarkVendored(b *testing.B) {}\n",
		"code.go":                   "package code\nfunc BenchmarkNotInATest(b *testing.B) {}\n",
		"benches/sums.rs":           "fn bench(c: &mut Criterion) {\n    let mut group = c.benchmark_group(\"sums\");\n    group.bench_function(\"json\", |b| {});\n    c.bench_function(\"fib 20\", |b| {});\n}\n",
		"crates/core/benches/in.rs": "fn x(g: G) { g.bench_with_input(\n    BenchmarkId::new(\"gob\", 16), &1, |b, i| {}); }\n",
		"src/lib.rs":                "fn x() { c.bench_function(\"not a bench\", |b| {}); }\n",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]perf.Source{
		"Encode/json-8":              {File: "codec/codec_test.go", Line: 3},
		"Encode@example.com/codec-8": {File: "codec/codec_test.go", Line: 3},
		"codec.BenchmarkEncode/json": {File: "codec/codec_test.go", Line: 3},
		"BenchmarkEncode":            {File: "codec/codec_test.go", Line: 3},
		"Twice-8":                    {},
		"Comment":                    {},
		"Vendored-2":                 {},
		"NotInATest":                 {},
		"sums/json":                  {File: "benches/sums.rs", Line: 3},
		"sums/other":                 {File: "benches/sums.rs", Line: 2},
		"fib 20":                     {File: "benches/sums.rs", Line: 4},
		"enc/gob/16":                 {File: "crates/core/benches/in.rs", Line: 2},
		"not a bench":                {},
		"cli startup":                {},
		"":                           {},
		"/":                          {},
	} {
		w := []perf.WorkloadResult{{Name: name}}
		locate(dir, w)
		if w[0].Source != want {
			t.Errorf("%q stands at %+v, want %+v", name, w[0].Source, want)
		}
	}
}

// An objective that is written out in one place is found there. One that has its limits
// from a flag keeps that, and other types of the name are none.
func TestLocateObjectives(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"magefiles/magefile.go": `//go:build mage

package main

import "github.com/seanchatmangpt/clnrm-perf/perf/suite"

var one = suite.Objective{
	Workload: "serve",
	Name:     "answer",
}

var list = []suite.Objective{
	{Name: "start"},
	suite.Objective{"stop", "w", m, 0.5, 0.95, 1, 2, s},
	{Name: computed()},
	{Name: "twice"}, {Name: "twice"},
	{Name: "by flag"},
}
`,
		"okr/okr.go":       "package okr\n\nvar o = Objective{Name: \"growth\"}\n",
		"broken/broken.go": "package broken\n\nimport \"x/clnrm-perf/perf/suite\"\nvar o = suite.Objective{Name: \"half\"",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	flag := perf.Source{File: "-set"}
	for name, want := range map[string]perf.Source{
		"answer": {File: "magefiles/magefile.go", Line: 9}, "start": {File: "magefiles/magefile.go", Line: 13},
		"stop": {File: "magefiles/magefile.go", Line: 14}, "twice": {}, "growth": {}, "half": {}, "nowhere": {}, "by flag": flag,
	} {
		o := []perf.ObjectiveResult{{Name: name}}
		if name == "by flag" {
			o[0].Source = flag
		}
		locateObjectives(dir, o)
		if o[0].Source != want {
			t.Errorf("%q is defined at %+v, want %+v", name, o[0].Source, want)
		}
	}
}
