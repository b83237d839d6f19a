package experiment

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// mustGit runs git for the test's own ends.
func mustGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := git(t.Context(), dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// repository makes a repository in which the file says "one" at the tag first and
// "two" at HEAD. No configuration of the machine has a say.
func repository(t *testing.T) (dir, first, second string) {
	t.Helper()
	testenv.Tool(t, "git")
	for key, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_SYSTEM": os.DevNull,
		"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
	} {
		t.Setenv(key, value)
	}
	dir = filepath.Join(t.TempDir(), "repo")
	mustGit(t, ".", "init", "--quiet", dir)
	commits := map[string]string{}
	for _, text := range []string{"one", "two"} {
		if err := os.WriteFile(filepath.Join(dir, "file"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		mustGit(t, dir, "add", "file")
		mustGit(t, dir, "commit", "--quiet", "-m", text)
		commits[text] = mustGit(t, dir, "rev-parse", "HEAD")
	}
	mustGit(t, dir, "tag", "first", "HEAD~1")
	return dir, commits["one"], commits["two"]
}

// userChanges makes changes in the checkout, staged and not, and returns a check that
// nothing has touched them, nor the index, nor the list of worktrees.
func userChanges(t *testing.T, dir string) func() {
	t.Helper()
	for name, text := range map[string]string{"file": "changed", "new": "staged"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mustGit(t, dir, "add", "new")
	state := func() string {
		index, err := os.ReadFile(filepath.Join(dir, ".git", "index"))
		if err != nil {
			t.Fatal(err)
		}
		return string(index) + mustGit(t, dir, "status", "--porcelain") + mustGit(t, dir, "worktree", "list") + mustGit(t, dir, "symbolic-ref", "HEAD")
	}
	before := state()
	return func() {
		t.Helper()
		if after := state(); after != before {
			t.Errorf("the user's repository is not as it was:\n%q\nnow\n%q", before, after)
		}
		if left, err := filepath.Glob(filepath.Join(dir, ".git", "worktrees", "*")); err != nil || len(left) > 0 {
			t.Errorf("git still notes %q", left)
		}
	}
}

func TestWorktree(t *testing.T) {
	repo, first, second := repository(t)
	unchanged := userChanges(t, repo)
	hook := filepath.Join(repo, ".git", "hooks", "post-checkout")
	if err := os.MkdirAll(filepath.Dir(hook), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(hook, []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{"first": first, "HEAD": second} {
		dir := filepath.Join(t.TempDir(), "src")
		w, err := AddWorktree(t.Context(), repo, ref, dir)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "file"))
		if err != nil || w.Commit != want || string(text) != map[string]string{first: "one", second: "two"}[want] {
			t.Errorf("%s: commit %s with %q (%v), want %s", ref, w.Commit, text, err, want)
		}
		if s, warnings := Commit(t.Context(), dir); s.Commit != want || s.Dirty || len(warnings) > 0 {
			t.Errorf("%s: Commit says %+v, %v", ref, s, warnings)
		}
		if err := errors.Join(w.Remove(), w.Remove()); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the worktree is still there (%v)", ref, err)
		}
	}
	unchanged()
}

// TestWorktreeInAHook checks that the variables which git sets for a hook do not send
// us to the repository that the hook belongs to.
func TestWorktreeInAHook(t *testing.T) {
	other, _, _ := repository(t)
	repo, first, second := repository(t)
	mustGit(t, other, "commit", "--quiet", "--allow-empty", "-m", "another history")
	t.Setenv("GIT_DIR", filepath.Join(other, ".git"))
	t.Setenv("GIT_INDEX_FILE", filepath.Join(other, ".git", "index"))
	t.Setenv("GIT_WORK_TREE", other)
	w, err := AddWorktree(t.Context(), repo, "first", filepath.Join(t.TempDir(), "src"))
	if err != nil {
		t.Fatal(err)
	}
	if w.Commit != first {
		t.Errorf("commit %s, want %s", w.Commit, first)
	}
	if s, _ := Commit(t.Context(), repo); s.Commit != second {
		t.Errorf("Commit says %s, want %s", s.Commit, second)
	}
	if err := w.Remove(); err != nil {
		t.Error(err)
	}
}

func TestUnknownRef(t *testing.T) {
	repo, _, _ := repository(t)
	for name, tc := range map[string]struct{ repo, ref, want string }{
		"no such ref":     {repo, "nowhere", "nowhere"},
		"like a flag":     {repo, "--all", "--all"},
		"not a commit":    {repo, "HEAD:file", "HEAD:file"},
		"empty":           {repo, "", `""`},
		"no repository":   {t.TempDir(), "HEAD", "not a git repository"},
		"several commits": {repo, "first..HEAD", "first..HEAD"},
	} {
		dir := filepath.Join(t.TempDir(), "src")
		_, err := AddWorktree(t.Context(), tc.repo, tc.ref, dir)
		if perf.ExitStatus(err) != perf.ExitUsage || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v (status %d), want a usage error with %q", name, err, perf.ExitStatus(err), tc.want)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: something was made: %v", name, err)
		}
	}
}

// TestWorktreeInterrupted ends the context in the middle of the checkout: a filter,
// which git runs for the file, reports to the test and then hangs.
func TestWorktreeInterrupted(t *testing.T) {
	repo, _, _ := repository(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	hang := play(t, "hang", listener.Addr().String())
	mustGit(t, repo, "config", "filter.hang.smudge", childEnv+"=hang '"+filepath.ToSlash(hang.Args[0])+"' "+hang.Args[1])
	if err := os.WriteFile(filepath.Join(repo, ".git", "info", "attributes"), []byte("file filter=hang\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	unchanged := userChanges(t, repo)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			t.Cleanup(func() { _ = conn.Close() })
		}
		cancel()
	}()
	work := t.TempDir()
	_, err = AddWorktree(ctx, repo, "first", filepath.Join(work, "src"))
	if !errors.Is(err, context.Canceled) || perf.ExitStatus(err) == perf.ExitUsage {
		t.Errorf("error %v, want the context's", err)
	}
	if left, err := os.ReadDir(work); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
	mustGit(t, repo, "config", "--remove-section", "filter.hang")
	unchanged()
}

// TestWorkspaceForgetsWorktrees checks that a run which was killed leaves nothing in
// the user's repository once the next run has swept.
func TestWorkspaceForgetsWorktrees(t *testing.T) {
	repo, _, _ := repository(t)
	unchanged := userChanges(t, repo)
	space, err := OpenWorkspace(filepath.Join(t.TempDir(), "run"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := AddWorktree(t.Context(), repo, "first", filepath.Join(space.Dir, "src")); err != nil {
		t.Fatal(err)
	}
	if err := space.Close(); err != nil {
		t.Fatal(err)
	}
	unchanged()
}

// TestRemoveWorktreeSparesOthers checks that a folder whose .git points at notes that
// are not its own takes nothing along.
func TestRemoveWorktreeSparesOthers(t *testing.T) {
	repo, _, _ := repository(t)
	dir := filepath.Join(t.TempDir(), "src")
	w, err := AddWorktree(t.Context(), repo, "first", dir)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := removeWorktree(copied); err != nil {
		t.Fatal(err)
	}
	if s, _ := Commit(t.Context(), dir); s.Commit != w.Commit {
		t.Errorf("the worktree is broken: %+v", s)
	}
	if err := w.Remove(); err != nil {
		t.Error(err)
	}
}

// TestCommitLeavesTheIndex looks at a checkout whose index is out of date, which git
// status would otherwise write anew.
func TestCommitLeavesTheIndex(t *testing.T) {
	repo, _, second := repository(t)
	index := filepath.Join(repo, ".git", "index")
	before, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(repo, "file"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if s, _ := Commit(t.Context(), repo); s.Commit != second || s.Dirty {
		t.Errorf("Commit says %+v; the file is the committed one", s)
	}
	if after, err := os.ReadFile(index); err != nil || string(after) != string(before) {
		t.Errorf("looking at the commit has written the index (%v)", err)
	}
}

func TestGitEnvironment(t *testing.T) {
	got := gitEnvironment([]string{"PATH=/bin", "GIT_DIR=/x", "GIT_CONFIG_COUNT=1", "GIT_INDEX_FILE=/y"})
	want := []string{"PATH=/bin", "GIT_CONFIG_COUNT=1", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
