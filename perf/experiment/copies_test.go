package experiment

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

func writeProgram(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte(content), 0o750); err != nil {
		t.Fatal(err)
	}
	return path
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestCopies(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("content", 1000)
	path := writeProgram(t, content)
	original := stat(t, path)
	c, err := newCopies(path, copiesRoom)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.names) != mostCopies {
		t.Fatalf("%d copies, want %d", len(c.names), mostCopies)
	}
	var seen []os.FileInfo
	for n := range uint(3 * mostCopies) {
		if err := c.take(n); err != nil {
			t.Fatal(err)
		}
		now := stat(t, path)
		if os.SameFile(now, original) {
			t.Fatal("the file of the build is still in its place")
		}
		if now.Mode() != original.Mode() {
			t.Errorf("the copy has the mode %v, want %v", now.Mode(), original.Mode())
		}
		if !slices.ContainsFunc(seen, func(f os.FileInfo) bool { return os.SameFile(f, now) }) {
			seen = append(seen, now)
		}
	}
	if len(seen) != mostCopies {
		t.Errorf("%d different files took the program's place, want %d", len(seen), mostCopies)
	}
	if err := c.take(3); err != nil { // the one that is there
		t.Fatal(err)
	}
	if err := c.take(3); err != nil {
		t.Fatal(err)
	}
	if err := c.drop(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("%v is left, want the program alone (%v)", left, err)
	}
	if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, []byte(content)) {
		t.Errorf("the program changed (%v)", err)
	}
}

func TestCopiesRoom(t *testing.T) {
	t.Parallel()
	path := writeProgram(t, strings.Repeat("x", 1000))
	for room, want := range map[int64]int{0: 1, 999: 1, 2999: 2, 1 << 20: mostCopies} {
		c, err := newCopies(path, room)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.names) != want {
			t.Errorf("%d copies of 1000 bytes in %d, want %d", len(c.names), room, want)
		}
		if err := c.drop(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := newCopies(filepath.Join(t.TempDir(), "none"), 1); err == nil {
		t.Error("a program that is not there was copied")
	}
	var none *copies
	if err := none.take(1); err != nil {
		t.Error(err)
	}
}

func TestBuilt(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for program, want := range map[string]bool{
		filepath.Join(root, "bin", "x"): true,
		filepath.Join(root, "..", "x"):  false,
		filepath.Join(root, "..x"):      true,
		"go":                            false,
		root + "x":                      false,
	} {
		if got := built(program, root); got != want {
			t.Errorf("built(%q): %v, want %v", program, got, want)
		}
	}
}

// TestArmCopies runs a program that was built here: each run takes a copy, both sides of a
// control take their own, and nothing is left of them.
func TestArmCopies(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("asks stat for the number of the file")
	}
	testenv.Tool(t, "sh")
	p := Processes{Work: t.TempDir(), Logs: t.TempDir()}
	program, seen := filepath.Join(p.Work, "bin", "program"), filepath.Join(p.Work, "seen")
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, []byte("#!/bin/sh\nstat -c %i \"$0\" >>"+seen+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	arm := p.Arm("old", suite.Step{Workload: suite.Workload{Name: "w", Command: suite.Command{Args: []string{program}}}}, OldSide, Aliases(p.Work))
	ctx := context.Background()
	if err := arm.Setup(ctx); err != nil {
		t.Fatal(err)
	}
	const pairs = 20
	d := newDealer(1, "w", 0)
	for range pairs {
		v := d.next().vary
		for v.Side = range 2 {
			if _, err := arm.Run(ctx, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := arm.Cleanup(ctx); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	files := strings.Fields(string(data))
	unlike := 0
	for i := 0; i < len(files); i += 2 {
		if files[i] != files[i+1] {
			unlike++
		}
	}
	slices.Sort(files)
	if n := len(slices.Compact(files)); n < mostCopies/2 {
		t.Errorf("%d runs took %d files", 2*pairs, n)
	}
	if unlike == 0 {
		t.Error("both sides of every pair ran the same file")
	}
	left, err := os.ReadDir(filepath.Dir(program))
	if err != nil || len(left) != 1 {
		t.Errorf("%v is left, want the program alone (%v)", left, err)
	}
}
