package profiler

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// TestHeapOfCargo records the programs that cargo test starts: heaptrack by itself would see
// the heap of cargo alone.
func TestHeapOfCargo(t *testing.T) {
	testenv.Tool(t, "cargo")
	testenv.Tool(t, "heaptrack")
	dir := t.TempDir()
	write(t, dir, "Cargo.toml", "[package]\nname = \"eats\"\nversion = \"0.1.0\"\nedition = \"2021\"\n")
	write(t, dir, "data.txt", "found by its folder\n")
	if out, err := exec.CommandContext(t.Context(), "mkdir", filepath.Join(dir, "src"), filepath.Join(dir, "tests")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	write(t, dir, "src/lib.rs", "#[inline(never)]\npub fn eat() -> usize { let mut n = 0; for i in 0..1000 { let v: Vec<u8> = Vec::with_capacity(4096 + i); n += std::hint::black_box(&v).capacity(); } n }\n#[test]\nfn unit() { assert!(eat() > 0); }\n")
	write(t, dir, "tests/whole.rs", "#[test]\nfn whole() { assert!(std::fs::read(\"data.txt\").is_ok()); assert!(eats::eat() > 0); }\n")
	c := Command{Args: []string{"cargo", "test", "--offline"}, Dir: dir}
	commands, err := cargoBinaries(t.Context(), c)
	if err != nil || len(commands) != 2 {
		t.Fatalf("%v, %v: want the unit tests and those in tests/", commands, err)
	}
	r, err := Heap(t.Context(), c, options(t))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := r.Profile.SampleIndexByName("alloc_objects")
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	for _, s := range r.Profile.Sample {
		if onStack(s, "eats::eat") {
			n += s.Value[objects]
		}
	}
	if n != 2000 {
		t.Errorf("%d allocations in eats::eat, which two programs call for 1000 each", n)
	}
	if len(r.Notes) == 0 || !strings.Contains(r.Notes[len(r.Notes)-1], "2 programs") {
		t.Errorf("notes %q", r.Notes)
	}
	if _, err := Heap(t.Context(), Command{Args: []string{"cargo", "test", "--offline", "--nonsense"}, Dir: dir}, options(t)); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("%v, want what cargo says", err)
	}
}
