package experiment

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// git runs git in dir and returns what it prints.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s in %s: %w: %s", strings.Join(args, " "), dir, err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

// Commit says which commit dir is at and whether it holds changes beside it. A
// folder that is no git repository, or a machine without git, has an empty commit
// and a warning.
func Commit(ctx context.Context, dir string) (perf.Subject, []perf.Warning) {
	head, err := git(ctx, dir, "rev-parse", "HEAD")
	if err != nil {
		return perf.Subject{}, []perf.Warning{{Kind: perf.WarnEnvironment, Text: "the commit of the subject is unknown, so this result cannot be traced to its source: " + err.Error()}}
	}
	status, err := git(ctx, dir, "status", "--porcelain", "--untracked-files=no")
	return perf.Subject{Commit: head, Dirty: err != nil || status != ""}, nil
}

// A Worktree is a checkout of one ref in a folder of its own.
type Worktree struct{ repo, Dir, Commit string }

// AddWorktree checks ref of the repository at repo out into dir, which must not
// exist. The user's own checkout and index are not touched.
func AddWorktree(ctx context.Context, repo, ref, dir string) (*Worktree, error) {
	commit, err := git(ctx, repo, "rev-parse", "--verify", "--end-of-options", ref+"^{commit}")
	if err != nil {
		return nil, perf.Usagef("unknown ref %q: %w (fetch it, or name one that `git rev-parse` knows)", ref, err)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding the folder of the worktree: %w", err)
	}
	w := &Worktree{repo: repo, Dir: abs, Commit: commit}
	if _, err := git(ctx, repo, "worktree", "add", "--detach", "--force", abs, commit); err != nil {
		_ = w.Remove()
		return nil, err
	}
	return w, nil
}

// Remove removes the checkout and what git noted about it. It uses a context of its
// own, because it must happen also after an interruption.
func (w *Worktree) Remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTime)
	defer cancel()
	if err := removeAll(w.Dir); err != nil {
		return fmt.Errorf("removing the worktree: %w", err)
	}
	_, err := git(ctx, w.repo, "worktree", "prune")
	return err
}
