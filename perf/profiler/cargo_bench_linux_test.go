package profiler

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// TestCargoBench records a benchmark with a main function of its own, as those of Criterion
// are: cargo bench gives it --bench, and it runs for as long as --profile-time says.
func TestCargoBench(t *testing.T) {
	needsEvents(t)
	testenv.Tool(t, "cargo")
	dir := t.TempDir()
	for _, d := range []string{"src", "benches"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "Cargo.toml", "[package]\nname = \"benched\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[[bench]]\nname = \"shape\"\nharness = false\n[profile.bench]\ndebug = true\n")
	write(t, dir, "src/lib.rs", "#[inline(never)]\npub fn heavy(n: u64) -> u64 { let mut s = 0u64; for i in 0..n { s = std::hint::black_box(s.wrapping_add(i)); } s }\n")
	write(t, dir, "benches/shape.rs", `use std::time::{Duration, Instant};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let at = args.iter().position(|a| a == "--profile-time").expect("no time");
    assert!(args.iter().any(|a| a == "--bench"));
    let end = Instant::now() + Duration::from_secs_f64(args[at + 1].parse().unwrap());
    while Instant::now() < end { std::hint::black_box(benched::heavy(10_000)); }
}
`)
	c := Command{Args: []string{"cargo", "bench", "--offline", "--bench", "shape", "--", "--profile-time", "0.5"}, Dir: dir}
	commands, err := cargoBinaries(t.Context(), c)
	if err != nil || len(commands) != 1 {
		t.Fatalf("%v, %v: want the one benchmark", commands, err)
	}
	o := options(t)
	o.Via = ViaEvents
	// Through cargo, which has built it by now and takes some time itself, and alone.
	for i, least := range []float64{0.2, 0.8} {
		c := []Command{c, commands[0]}[i]
		r, err := CPU(t.Context(), c, o)
		if err != nil {
			t.Fatal(err)
		}
		if share := cum(r.Profile, "benched::heavy"); share < least {
			t.Errorf("%s: the function that does the work has %.2f of it, want %.1f", c, share, least)
		}
	}
}
