package profileio

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// conformance is where inputs of the peers' own tests lie, which cannot ship with this
// module.
const conformance = "../../../shared/conformance"

var foldVariants = map[string]FoldOptions{
	"default": {}, "pid": {PID: true}, "tid": {TID: true}, "kernel": {Kernel: true}, "jit": {JIT: true},
	"all": {Kernel: true, JIT: true, Inlined: true}, "addrs": {Addresses: true},
}

func TestPerfScriptConformance(t *testing.T) {
	expected, err := filepath.Glob(filepath.Join(conformance, "perf-script", "expected", "*.folded"))
	if err != nil || len(expected) == 0 {
		t.Skipf("the conformance inputs are not beside this checkout (%s)", conformance)
	}
	for _, name := range expected {
		base := strings.TrimSuffix(filepath.Base(name), ".folded")
		t.Run(base, func(t *testing.T) {
			input, variant, _ := strings.Cut(base, ".")
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(filepath.Join(conformance, "perf-script", "input", input+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			o := foldVariants[variant]
			s, err := ReadPerfScript(bytes.NewReader(data), input, o.needs())
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := s.WriteFolded(&got, o); err != nil {
				t.Fatal(err)
			}
			compareLines(t, got.String(), string(want))
			for _, f := range s.Faults {
				t.Error(f)
			}
		})
	}
}

func compareLines(t *testing.T, got, want string) {
	t.Helper()
	have, need := strings.Split(strings.TrimSpace(got), "\n"), strings.Split(strings.TrimSpace(want), "\n")
	slices.Sort(have)
	slices.Sort(need)
	n := 0
	for _, l := range need {
		if _, ok := slices.BinarySearch(have, l); !ok && n < 6 {
			n++
			t.Errorf("missing: %s", l)
		}
	}
	for _, l := range have {
		if _, ok := slices.BinarySearch(need, l); !ok && n < 12 {
			n++
			t.Errorf("too much: %s", l)
		}
	}
}
