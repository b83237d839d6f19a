package baseline

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// The test binary plays the process that crashes: childPart says which part it has, and
// childDir where it writes.
const (
	childPart = "PERF_BASELINE_TEST_PART"
	childDir  = "PERF_BASELINE_TEST_DIR"
)

func TestMain(m *testing.M) {
	s := Store{Dir: os.Getenv(childDir)}
	switch os.Getenv(childPart) {
	case "crash before the rename":
		crashBeforeRename(s)
	case "save for ever":
		saveForEver(s)
	default:
		os.Exit(m.Run())
	}
}

// crashBeforeRename dies when the new file is whole and the old one still has its name.
func crashBeforeRename(s Store) {
	data, err := result("new").Encode()
	if err == nil {
		_, err = writeTemp(filepath.Dir(s.path(suite, machine, "main")), data, 0o644)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	fmt.Println("still alive:", err)
	select {}
}

// saveForEver saves one result after the other and says so, until it is killed.
func saveForEver(s Store) {
	for i := 0; ; i++ {
		if _, err := s.Save(large(fmt.Sprintf("run-%d", i)), "main"); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("saved")
	}
}

// largeSamples is how many samples make a result of about 50 kB.
const largeSamples = 4_000

// large returns a result of which a part would be noticed.
func large(id string) *perf.Result {
	r := result(id)
	samples := make(perf.Sample, largeSamples)
	for i := range samples {
		samples[i] = float64(i) + 0.123456
	}
	r.Workloads[0].Metrics[0].Samples = samples
	return r
}

func child(t *testing.T, part, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childPart+"="+part, childDir+"="+dir)
	return cmd
}

func TestCrashBeforeRename(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	path := save(t, s, result("old"), "main")
	before := contents(t, path)
	out, err := child(t, "crash before the rename", s.Dir).CombinedOutput()
	if _, ok := errors.AsType[*exec.ExitError](err); !ok || strings.Contains(string(out), "alive") {
		t.Fatalf("the child was to die: %v\n%s", err, out)
	}
	if got := contents(t, path); got != before {
		t.Errorf("the old file is now\n%s", got)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*.tmp"))
	if err != nil || len(left) != 1 {
		t.Fatalf("the crash left %q (%v); the test wants the temporary file", left, err)
	}
	entries, errs := s.List()
	if len(entries) != 1 || entries[0].ID != "old" || len(errs) > 0 {
		t.Errorf("listed %v, %v", entries, errs)
	}
	save(t, s, result("next"), "main")
	if got, err := s.Load(suite, machine, "main"); err != nil || got.ID != "next" {
		t.Errorf("after the next save: %v, %v", got, err)
	}
}

// A process that is killed at any moment leaves a whole file.
func TestKilledWhileSaving(t *testing.T) {
	for range 3 {
		s := Store{Dir: t.TempDir()}
		cmd := child(t, "save for ever", s.Dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 5 {
			if !lines.Scan() || lines.Text() != "saved" {
				t.Errorf("the child says %q (%v)", lines.Text(), lines.Err())
			}
		}
		if err := errors.Join(cmd.Process.Kill(), cmd.Wait()); err == nil {
			t.Error("the child came to an end by itself")
		}
		if r, err := s.Load(suite, machine, "main"); err != nil || len(r.Workloads[0].Metrics[0].Samples) != largeSamples {
			t.Errorf("what it left cannot be read: %v", err)
		}
	}
}

// Writers that race leave one of their files, whole, and a reader in between never sees
// a part.
func TestConcurrentSaves(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	path := save(t, s, large("first"), "main")
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for w := range 4 {
		writers.Go(func() {
			for i := range 5 {
				// Windows refuses to replace a file that somebody reads; it stays whole.
				if _, err := s.Save(large(fmt.Sprintf("run-%d-%d", w, i)), "main"); err != nil && runtime.GOOS != "windows" {
					t.Error(err)
				}
			}
		})
	}
	readers.Go(func() {
		for {
			if _, err := s.Load(suite, machine, "main"); err != nil && runtime.GOOS != "windows" {
				t.Error(err)
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	writers.Wait()
	close(done)
	readers.Wait()
	if r, err := s.Load(suite, machine, "main"); err != nil || len(r.Workloads[0].Metrics[0].Samples) != largeSamples {
		t.Errorf("what they left cannot be read: %v", err)
	}
	onlyFile(t, path)
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.html")
	for _, text := range []string{"first, and longer", "second", ""} {
		if err := WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := contents(t, path); got != text {
			t.Errorf("the file holds %q, want %q", got, text)
		}
	}
	onlyFile(t, path)
}

// The umask applies to the new file as it does to every other.
func TestWriteFileMode(t *testing.T) {
	dir := t.TempDir()
	for _, perm := range []fs.FileMode{0o600, 0o644, 0o777} {
		usual, ours := filepath.Join(dir, fmt.Sprintf("usual-%o", perm)), filepath.Join(dir, fmt.Sprintf("ours-%o", perm))
		if err := errors.Join(os.WriteFile(usual, nil, perm), WriteFile(ours, nil, perm)); err != nil {
			t.Fatal(err)
		}
		want, err := os.Stat(usual)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.Stat(ours); err != nil || got.Mode() != want.Mode() {
			t.Errorf("mode %v (%v), want %v", got.Mode(), err, want.Mode())
		}
	}
}

func TestWriteFileFails(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "file"), "a file")
	put(t, filepath.Join(dir, "folder", "inside"), "kept")
	for path, words := range map[string][]string{
		filepath.Join(dir, "none", "a.json"): {"none", "try again"},
		filepath.Join(dir, "file", "a.json"): {"file", "a file stands where a folder belongs"},
		filepath.Join(dir, "folder"):         {"folder", "a folder stands where the file belongs"},
	} {
		err := WriteFile(path, []byte("new"), 0o644)
		wantError(t, err, append(words, "writing "+path, "unchanged")...)
	}
	if contents(t, filepath.Join(dir, "file")) != "a file" || contents(t, filepath.Join(dir, "folder", "inside")) != "kept" {
		t.Error("what was there has changed")
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}
