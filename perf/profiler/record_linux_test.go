package profiler

import (
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// burn builds the C program that takes CPU time in known shares, with more flags.
func burn(t testing.TB, flags ...string) string {
	t.Helper()
	testenv.Tool(t, "cc")
	bin := filepath.Join(t.TempDir(), "burn")
	args := append([]string{"-O2", "-g", "-fno-optimize-sibling-calls", "-pthread", "-o", bin, "testdata/burn.c"}, flags...)
	if out, err := exec.CommandContext(t.Context(), "cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// needsEvents skips the test where the kernel lets this process record nothing.
func needsEvents(t testing.TB) {
	t.Helper()
	testenv.Working(t, "perf", func() error {
		s, err := openSampler(callGraph{}, defaultFrequency)
		if err == nil {
			s.close()
		}
		return err
	})
}

// wantWhole checks that a recording misses nothing: the samples weigh what the kernel's
// accounts say that the command took.
func wantWhole(t *testing.T, r *Recording) {
	t.Helper()
	var sum int64
	for _, s := range r.Profile.Sample {
		sum += s.Value[1]
	}
	if off := float64(sum)/float64(r.CPUTime) - 1; math.Abs(off) > 0.02 || r.Quality.Lost != 0 {
		t.Errorf("%d samples weigh %s, %+.1f %% from the %s of CPU time; %d were lost", r.Quality.Samples, time.Duration(sum), 100*off, r.CPUTime, r.Quality.Lost)
	}
}

// TestEvents records where the time is known, in both modes.
func TestEvents(t *testing.T) {
	needsEvents(t)
	for mode, flags := range map[string][]string{"DWARF": nil, "frame pointers": {"-fno-omit-frame-pointer"}} {
		bin := burn(t, flags...)
		for _, args := range [][]string{{bin, "alone", "1000"}, {bin, "threads", "500"}, {bin, "children", "500"}} {
			t.Run(mode+"/"+args[1], func(t *testing.T) {
				r, err := recordEvents(t.Context(), Command{Args: args}, options(t))
				if err != nil {
					t.Fatal(err)
				}
				t.Log(r.Tool, r.Mode, r.Notes, r.Quality)
				if !strings.HasPrefix(r.Mode, mode) {
					t.Errorf("mode %q", r.Mode)
				}
				wantWhole(t, r)
				for name, want := range map[string]float64{"heavy": 0.6, "middle": 0.3, "light": 0.1, "shares": 1} {
					if share := cum(r.Profile, name); math.Abs(share-want) > 0.03 {
						t.Errorf("%s has %.3f of it, want %.1f", name, share, want)
					}
				}
			})
		}
	}
}
