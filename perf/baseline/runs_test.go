package baseline

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

func TestNewID(t *testing.T) {
	zone := time.FixedZone("", 2*3600)
	now := time.Date(2026, 11, 23, 4, 3, 4, 999e6, zone)
	if got := NewID(now, 0x0a, 0x1b, 0x2c); got != "20261123T020304Z-0a1b2c" {
		t.Errorf("got %s", got)
	}
	if got := NewID(now, 1, 2, 3, 4); got != "20261123T020304Z-010203" {
		t.Errorf("with a byte too many: %s", got)
	}
	form := regexp.MustCompile(`^20261123T020304Z-[0-9a-f]{6}$`)
	seen := map[string]bool{}
	for range 100 {
		id := NewID(now)
		if !form.MatchString(id) || CheckName("run", id) != nil {
			t.Fatalf("%q is no id", id)
		}
		seen[id] = true
	}
	// 100 draws out of 2^24 meet with a probability of 0.0003; two meetings, never.
	if len(seen) < 99 {
		t.Errorf("100 draws gave %d ids", len(seen))
	}
}

func TestIDsSortByTime(t *testing.T) {
	at := []time.Time{created, created.Add(time.Second), created.Add(time.Hour), created.AddDate(0, 1, 0), created.AddDate(73, 0, 0)}
	var ids []string
	for _, now := range at {
		ids = append(ids, NewID(now))
	}
	if !slices.IsSorted(ids) {
		t.Errorf("%q do not sort by time", ids)
	}
}

func TestCreate(t *testing.T) {
	r := Runs{Dir: filepath.Join(t.TempDir(), ".perf", "runs")}
	dir, err := r.Create("a")
	if err != nil || dir != filepath.Join(r.Dir, "a") {
		t.Fatalf("made %s, %v", dir, err)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		t.Errorf("there is no folder: %v", err)
	}
	_, err = r.Create("a")
	wantError(t, err, "run a", "exists already")
	_, err = r.Create("../b")
	if wantError(t, err, "run", "dot"); perf.ExitStatus(err) != perf.ExitUsage {
		t.Errorf("exit status %d", perf.ExitStatus(err))
	}
	put(t, filepath.Join(r.Dir, "file"), "")
	_, err = Runs{Dir: filepath.Join(r.Dir, "file")}.Create("a")
	wantError(t, err, "run a", "unchanged")
}

// A run writes its state again and again; what is read is the last one.
func TestWriteAndLoad(t *testing.T) {
	r := Runs{Dir: t.TempDir()}
	res := result("a")
	res.Complete, res.Only = false, []string{"cli startup"}
	for n := range 5 {
		res.Workloads[0].Metrics[0].Samples = make(perf.Sample, n+1)
		path, err := r.Write(res)
		if err != nil {
			t.Fatal(err)
		}
		onlyFile(t, path)
		got, err := r.Load("a")
		if err != nil || len(got.Workloads[0].Metrics[0].Samples) != n+1 || got.Complete {
			t.Errorf("after %d samples: %v, %v", n+1, got, err)
		}
	}
	res.Workloads[0].State = "odd"
	if _, err := r.Write(res); err == nil {
		t.Error("a result that is not valid was written")
	}
	if got, err := r.Load("a"); err != nil || got.Workloads[0].State != perf.StateOK {
		t.Errorf("after a failed write: %v, %v", got, err)
	}
}

func TestLoadOfUnknownRun(t *testing.T) {
	r := Runs{Dir: filepath.Join(t.TempDir(), "runs")}
	_, err := r.Load("20261123T020304Z-0a1b2c")
	wantError(t, err, "no run 20261123T020304Z-0a1b2c", "no other", "go tool mage benchmarks")
	for _, id := range []string{"20261123T020304Z-0a1b2c", "20261124T020304Z-ffffff"} {
		if _, err := r.Write(result(id)); err != nil {
			t.Fatal(err)
		}
	}
	_, err = r.Load("20261123T020304Z-0a1b2d")
	wantError(t, err, "did you mean 20261123T020304Z-0a1b2c?", "latest is 20261124T020304Z-ffffff")
	if _, ok := errors.AsType[*NoRunError](err); !ok || !errors.Is(err, fs.ErrNotExist) || perf.ExitStatus(err) != perf.ExitUsage {
		t.Errorf("got %T with exit status %d", err, perf.ExitStatus(err))
	}
	_, err = r.Load("yesterday")
	wantError(t, err, "no run yesterday", "the latest is 20261124T020304Z-ffffff")
	if _, err := r.Load("../x"); perf.ExitStatus(err) != perf.ExitUsage {
		t.Errorf("a path: %v", err)
	}
}

func TestLoadOfCopiedRun(t *testing.T) {
	r := Runs{Dir: t.TempDir()}
	path, err := r.Write(result("a"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, r.path("b"), contents(t, path))
	_, err = r.Load("b")
	wantError(t, err, r.path("b"), "result of run a in the folder of run b")
}

// write stores results by id, each created some hours after the first.
func write(t *testing.T, r Runs, hours map[string]int) {
	t.Helper()
	for id, h := range hours {
		res := result(id)
		res.Created = created.Add(time.Duration(h) * time.Hour)
		if _, err := r.Write(res); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNewest(t *testing.T) {
	r := Runs{Dir: t.TempDir()}
	// By time, and where that is the same by id; the greatest id is the oldest run.
	write(t, r, map[string]int{"z": 0, "a": 1, "c": 2, "b": 2})
	var order []string
	_, skipped, err := r.Newest(func(res *perf.Result) bool {
		order = append(order, res.ID)
		return false
	})
	if want := []string{"c", "b", "a", "z"}; !slices.Equal(order, want) {
		t.Errorf("offered %q, want %q", order, want)
	}
	if none, ok := errors.AsType[*NoRunError](err); !ok || none.Present != 4 || len(skipped) > 0 || !errors.Is(err, fs.ErrNotExist) || perf.ExitStatus(err) != perf.ExitFailure {
		t.Errorf("got %v, %v", err, skipped)
	}
	wantError(t, err, "will do", "4 are of another kind")
	if res, _, err := r.Newest(nil); err != nil || res.ID != "c" {
		t.Errorf("the newest is %v, %v", res, err)
	}
	if res, _, err := r.Newest(func(res *perf.Result) bool { return res.ID < "b" }); err != nil || res.ID != "a" {
		t.Errorf("the newest below b is %v, %v", res, err)
	}
}

// What cannot be read is passed over and told, as far as it can have been meant: a file
// that is older than what was found is not even read whole.
func TestNewestPassesOverBrokenRuns(t *testing.T) {
	r := Runs{Dir: t.TempDir()}
	write(t, r, map[string]int{"old": 0, "good": 1, "cut": 2, "newer": 3})
	cut := func(id string, at string) {
		text := contents(t, r.path(id))
		i := strings.Index(text, at)
		put(t, r.path(id), text[:i])
	}
	cut("old", `"samples"`)
	cut("cut", `"samples"`)
	put(t, r.path("newer"), strings.Replace(contents(t, r.path("newer")), "result/v1", "result/v2", 1))
	put(t, r.path("headless"), `{"schema": "clnrm-perf/result/v1", "id"`)
	put(t, r.path("empty"), "")
	if _, err := r.Create("just-begun"); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(r.Dir, "notes.txt"), "no run")
	res, skipped, err := r.Newest(nil)
	if err != nil || res.ID != "good" {
		t.Fatalf("the newest is %v, %v", res, err)
	}
	if len(skipped) != 4 {
		t.Errorf("skipped %v, want four", skipped)
	}
	wantError(t, errors.Join(skipped...), r.path("cut"), r.path("newer")+":2", "newer clnrm-perf", r.path("headless"), r.path("empty"))

	_, skipped, err = r.Newest(func(*perf.Result) bool { return false })
	none, ok := errors.AsType[*NoRunError](err)
	if !ok || len(none.Skipped) != 5 || len(skipped) != 5 {
		t.Errorf("got %v beside %v", err, skipped)
	}
	wantError(t, err, "5 cannot be read")
}

func TestNewestOfNone(t *testing.T) {
	r := Runs{Dir: filepath.Join(t.TempDir(), "runs")}
	res, skipped, err := r.Newest(nil)
	if none, ok := errors.AsType[*NoRunError](err); res != nil || len(skipped) > 0 || !ok || none.Present != 0 {
		t.Errorf("got %v, %v, %v", res, skipped, err)
	}
	wantError(t, err, "no run in "+r.Dir, "go tool mage benchmarks")
	put(t, r.Dir, "a file")
	if _, _, err := r.Newest(nil); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file in place of the folder: %v", err)
	}
}
