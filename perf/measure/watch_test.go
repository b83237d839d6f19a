package measure_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/clnrmtest"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

// watchLimit is generous: what is waited for comes at once, or never.
const watchLimit = 20 * time.Second

// clnrm is a watch of the stand-in for clnrm, played with the options.
func clnrm(t *testing.T, options string) measure.Watch {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, sub := range []string{"watched", "staging"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w := clnrmLines()
	w.Command = measure.Command{
		Args: []string{exe, "run", "--watch", "--force", filepath.Join(dir, "watched")}, Dir: dir,
		Env: append(os.Environ(), clnrmtest.Env+"="+options, "GORACE=atexit_sleep_ms=0"),
	}
	w.File, w.Staging = filepath.Join(dir, "watched", "a.clnrm.toml"), filepath.Join(dir, "staging")
	if err := os.WriteFile(w.File, save(0).Content, 0o644); err != nil {
		t.Fatal(err)
	}
	return w
}

// clnrmLines is what the lines of clnrm mean.
func clnrmLines() measure.Watch {
	return measure.Watch{
		Ready: "Watching: ", Named: "🚀 Executing test: ",
		Pass: "✅ a.clnrm.toml - PASS (", Fail: "❌ a.clnrm.toml - FAIL (",
		End: []string{"All tests passed!", "Test run failed: "},
		Stages: []measure.Stage{
			{Name: "detect", Ends: []string{"File change detected: "}},
			{Name: "pause", Ends: []string{"Running cleanroom tests"}},
			{Name: "parse", Ends: []string{"Successfully loaded "}},
			{Name: "execute", Ends: []string{"Test passed: ", "Test failed: "}},
			{Name: "display"},
		},
		Limit: watchLimit,
	}
}

// save is the nth content; every other fails.
func save(n int) measure.Save {
	s := measure.Save{Name: fmt.Sprintf("reload-%d", n), Pass: n%2 == 0}
	s.Content = fmt.Appendf(nil, "[meta]\nname = %q\n[[scenario]]\nname = \"s\"\nrun = %q\n", s.Name, map[bool]string{true: "true", false: "false"}[s.Pass])
	return s
}

func watching(t *testing.T, w measure.Watch) *measure.Watcher {
	t.Helper()
	r, err := w.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	t.Cleanup(func() {
		run, err := r.Stop()
		if err != nil || len(run.LeftBehind) > 0 {
			t.Errorf("stopping the watcher: %v, left behind %q", err, run.LeftBehind)
		}
	})
	return r
}

// TestReloads follows saves through all that makes clnrm's lines hard to follow.
func TestReloads(t *testing.T) {
	for _, options := range []string{"", "plain=1", "reruns=3"} {
		t.Run(options, func(t *testing.T) {
			r := watching(t, clnrm(t, options))
			for n := 1; n <= 4; n++ {
				got, err := r.Reload(t.Context(), save(n))
				if err != nil {
					t.Fatalf("save %d: %v", n, err)
				}
				checkStages(t, got)
				want := 0
				if n > 1 {
					want = 1
					if options == "reruns=3" {
						want = 3
					}
				}
				if got.RerunsBefore != want {
					t.Errorf("save %d: %d reruns of the one before, want %d", n, got.RerunsBefore, want)
				}
			}
		})
	}
}

// checkStages holds the stages to the total: they lie end to end.
func checkStages(t *testing.T, r measure.Reload) {
	t.Helper()
	var sum time.Duration
	for i, s := range r.Stages {
		if sum += s; s < 0 {
			t.Errorf("stage %d took %v", i, s)
		}
	}
	if len(r.Stages) != 5 || sum != r.Total || r.Total <= 0 {
		t.Errorf("stages %v, in all %v, want five that add up", r.Stages, r.Total)
	}
}

// TestReloadStagesFollowTheSubject gives two stages a known length each, and looks for
// it there and nowhere else, in the median of three reloads. The lengths are such that
// no busy machine can hide them: it is slow to read lines now and then.
func TestReloadStagesFollowTheSubject(t *testing.T) {
	const pause, pull = 400 * time.Millisecond, 800 * time.Millisecond
	r := watching(t, clnrm(t, fmt.Sprintf("pause=%v,pull=%v", pause, pull)))
	var took [5][]time.Duration
	for n := 1; n <= 3; n++ {
		got, err := r.Reload(t.Context(), save(n))
		if err != nil {
			t.Fatal(err)
		}
		checkStages(t, got)
		if got.Total < pause+pull {
			t.Errorf("reload %d took %v, and its stages take %v alone", n, got.Total, pause+pull)
		}
		for i, s := range got.Stages {
			took[i] = append(took[i], s)
		}
	}
	for i, want := range []time.Duration{0, pause, 0, pull, 0} {
		slices.Sort(took[i])
		if median := took[i][1]; median < want-pause/2 || median > want+pause/2 {
			t.Errorf("stage %d took %v, want about %v", i, took[i], want)
		}
	}
}

// TestReloadThatIsNone: what did not run what was saved is an error, never a sample.
func TestReloadThatIsNone(t *testing.T) {
	for _, row := range []struct {
		trap  string
		limit time.Duration
		want  string
	}{
		{"blind", 300 * time.Millisecond, "did not notice within 300ms that a.clnrm.toml was saved"},
		{"mute", 300 * time.Millisecond, "gave no result within 300ms of the save of a.clnrm.toml; it came as far as the end of: detect, pause, parse"},
		{"cache", watchLimit, "did not run it: has it taken a result out of a cache?"},
		{"stale", watchLimit, `ran "reload-0" instead of "reload-1"`},
		{"lie", watchLimit, "said pass of a file that must fail"},
		{"die", watchLimit, "exit status 1; its last lines:"},
		{"quit", watchLimit, "ended by itself, with exit status 0"},
	} {
		t.Run(row.trap, func(t *testing.T) {
			w := clnrm(t, "trap="+row.trap)
			r := watching(t, w)
			r.Limit(row.limit)
			_, err := r.Reload(t.Context(), save(1))
			f, ok := errors.AsType[*measure.Failure](err)
			if !ok || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %v, want a failure with %q", err, row.want)
			}
			if len(f.Tail) == 0 || strings.ContainsRune(strings.Join(f.Tail, ""), '\x1b') {
				t.Errorf("its last lines are %q", f.Tail)
			}
		})
	}
}

// TestLinesThatAreReadAtOnce: their stamps say how far apart they came, within what
// the reads allow.
func TestLinesThatAreReadAtOnce(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	// The subject's clock may show anything; only differences count.
	line := func(stamp int, text string) string {
		return fmt.Sprintf("\x1b[2m2025-01-02T03:04:05.%06dZ\x1b[0m  INFO clnrm::run: %s\n", stamp, text)
	}
	start := line(1000, "File change detected: []") + line(1010, "Running cleanroom tests") + line(1020, "🚀 Executing test: x")
	end := func(parsed, passed int) string {
		return line(parsed, "Successfully loaded y") + line(passed, "Test passed: y") + line(passed+20, "✅ a.clnrm.toml - PASS (1ms)") + line(passed+30, "All tests passed!")
	}
	const ms, us = time.Millisecond, time.Microsecond
	for _, row := range []struct {
		name   string
		pieces []string
		want   []time.Duration
	}{
		{"two reads", []string{start, end(1100, 1500)}, []time.Duration{ms - 20*us, 10 * us, ms + 10*us - 430*us, 400 * us, 30 * us}},
		{"one read", []string{start + end(1100, 1500)}, []time.Duration{470 * us, 10 * us, 90 * us, 400 * us, 30 * us}},
		{"stamps that are older than the read before", []string{start, end(1100, 9000)}, []time.Duration{ms - 20*us, 10 * us, 10 * us, ms - 30*us, 30 * us}},
		{"a clock that was set back", []string{start, end(1100, 500)}, []time.Duration{ms - 20*us, 10 * us, ms + 10*us, 0, 30 * us}},
		{"a line in two pieces", []string{start + end(1100, 1500)[:20], end(1100, 1500)[20:]}, []time.Duration{ms - 20*us, 10 * us, ms + 10*us - 430*us, 400 * us, 30 * us}},
		{"no stamps", []string{start, "Successfully loaded y\nTest passed: y\n", "✅ a.clnrm.toml - PASS (1ms)\n"}, []time.Duration{ms - 20*us, 10 * us, ms + 10*us, 0, ms}},
	} {
		got, done := measure.FollowLines(clnrmLines(), "x", at, row.pieces...)
		if !done || !slices.Equal(got.Stages, row.want) || got.Total != time.Duration(len(row.pieces))*ms {
			t.Errorf("%s: done %v, total %v, stages %v, want %v", row.name, done, got.Total, got.Stages, row.want)
		}
	}
}

func TestWatcherThatNeverGetsReady(t *testing.T) {
	w := clnrm(t, "trap=unready")
	w.Limit = 300 * time.Millisecond
	r, err := w.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = r.Ready(t.Context())
	if _, serr := r.Stop(); serr != nil || r.Ended() {
		t.Errorf("stopping it: %v, ended by itself %v", serr, r.Ended())
	}
	if err == nil || !strings.Contains(err.Error(), `it was not ready after 300ms: none of its lines says "Watching: "`) || !strings.Contains(err.Error(), "All tests passed!") {
		t.Errorf("got %v", err)
	}
}

// TestWatcherThatRerunsForEver: between saves there must be silence.
func TestWatcherThatRerunsForEver(t *testing.T) {
	r := watching(t, clnrm(t, "trap=restless,pull=20ms"))
	if _, err := r.Reload(t.Context(), save(1)); err != nil {
		t.Fatal(err)
	}
	r.Limit(300 * time.Millisecond)
	if _, err := r.Reload(t.Context(), save(2)); err == nil || !strings.Contains(err.Error(), "it still ran 300ms after the last save") {
		t.Errorf("got %v", err)
	}
}

// TestStageWithoutItsLine: the total stands, and the two stages that cannot be told
// apart are not made up.
func TestStageWithoutItsLine(t *testing.T) {
	r := watching(t, clnrm(t, "trap=vague"))
	got, err := r.Reload(t.Context(), save(1))
	if err != nil {
		t.Fatal(err)
	}
	for i, known := range []bool{true, true, false, false, true} {
		if (got.Stages[i] >= 0) != known {
			t.Errorf("stages %v: the third and fourth are not known", got.Stages)
		}
	}
	if got.Total <= 0 {
		t.Errorf("total %v", got.Total)
	}
}

func TestWatchIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, err := clnrm(t, "trap=blind").Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Ready(ctx); err != nil {
		t.Error(err)
	}
	go cancel() // before or after the save, it is the same
	if _, err := r.Reload(ctx, save(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	if run, err := r.Stop(); err != nil || len(run.LeftBehind) > 0 {
		t.Errorf("stopping: %v, left behind %q", err, run.LeftBehind)
	}
}

func TestWatchThatCannotStart(t *testing.T) {
	w := clnrm(t, "")
	w.Command.Args[0] = filepath.Join(t.TempDir(), "clnrm")
	r, err := w.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Ready(t.Context()); !errors.Is(err, os.ErrNotExist) || !r.Ended() {
		t.Errorf("got %v, ended %v", err, r.Ended())
	}
	if _, err := r.Stop(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stopping what never ran: %v", err)
	}
	for name, spoil := range map[string]func(w *measure.Watch){
		"one stage":           func(w *measure.Watch) { w.Stages = w.Stages[:1] },
		"a stage with no end": func(w *measure.Watch) { w.Stages[1].Ends = nil },
		"no name":             func(w *measure.Watch) { w.Named = "" },
		"no end":              func(w *measure.Watch) { w.End = nil },
	} {
		w := clnrm(t, "")
		spoil(&w)
		if _, err := w.Start(t.Context()); err == nil {
			t.Errorf("%s: a watch that cannot be followed was started", name)
		}
	}
}

// BenchmarkWatchLines says how many bytes a second a watching command can write before
// the driver slows it down: as much as the lines of clnrm, coloured and plain, and one
// line that means nothing. A pipe alone moves about 2 GB/s.
func BenchmarkWatchLines(b *testing.B) {
	const prefix = "2025-01-02T03:04:05.006007Z  INFO clnrm.test{path=\"/w/a.clnrm.toml\"}: clnrm_core::cli::commands::run: "
	for name, line := range map[string]string{
		"plain":  prefix + "📋 Step 1: a step of no importance\n",
		"colour": "\x1b[2m2025-01-02T03:04:05.006007Z\x1b[0m \x1b[32m INFO\x1b[0m clnrm_core::cli: 📤 Output: something\n",
		"marker": prefix + "Successfully loaded cleanroom config with default_image: alpine:latest\n",
	} {
		b.Run(name, func(b *testing.B) {
			output := measure.WatchOutput(clnrmLines())
			output(measure.Stdout, []byte("Watching: w\n"), time.Now())
			piece := []byte(strings.Repeat(line, 64<<10/len(line)))
			b.SetBytes(int64(len(piece)))
			for now := time.Now(); b.Loop(); {
				output(measure.Stdout, piece, now)
			}
		})
	}
}
