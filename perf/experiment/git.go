package experiment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

// repositoryVariables are those by which git, when it runs a hook, points at its own
// repository (git rev-parse --local-env-vars, without those of the configuration). In
// a gate that runs as a hook they would send every git command to the wrong one.
var repositoryVariables = []string{
	"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIR", "GIT_GRAFT_FILE", "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE",
	"GIT_NO_REPLACE_OBJECTS", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_WORK_TREE",
}

// gitEnvironment is base for git commands that look and never ask: without the
// variables of another repository, without refreshing the user's index, and without
// a question for a password that nobody answers.
func gitEnvironment(base []string) []string {
	out := slices.DeleteFunc(slices.Clone(base), func(entry string) bool {
		key, _, _ := strings.Cut(entry, "=")
		return slices.Contains(repositoryVariables, key)
	})
	return append(out, "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0")
}

func gitCommand(dir string, args ...string) measure.Command {
	return measure.Command{Args: append([]string{"git"}, args...), Dir: dir, Env: gitEnvironment(os.Environ())}
}

// git runs git in dir and returns what it prints. It runs like a measured command, so
// that an interruption gives it time to tidy up and ends what it has started, too.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	run, stdout, err := outputOf(ctx, gitCommand(dir, args...))
	if _, failed := errors.AsType[*measure.Failure](err); failed {
		return "", fmt.Errorf("in %s: %w", dir, &Failure{reasonFor(run, err, "")})
	}
	return strings.TrimSpace(string(stdout)), err
}

// Commit says which commit dir is at and whether it holds changes beside it. A
// folder that is no git repository, or a machine without git, has an empty commit
// and a warning.
func Commit(ctx context.Context, dir string) (perf.Subject, []perf.Warning) {
	head, err := git(ctx, dir, "rev-parse", "--verify", "HEAD")
	if err != nil {
		return perf.Subject{}, []perf.Warning{{Kind: perf.WarnEnvironment, Text: "the commit of the subject is unknown, so this result cannot be traced to its source: " + err.Error()}}
	}
	status, err := git(ctx, dir, "status", "--porcelain", "--untracked-files=no")
	return perf.Subject{Commit: head, Dirty: err != nil || status != ""}, nil
}

// A Worktree is a checkout of one ref in a folder of its own.
type Worktree struct{ Dir, Commit string }

// FindCommit returns the hash of the commit that ref names in the repository at repo.
// A ref that is not there is a usage error, as is a folder that is no repository; git's own
// failure, as in a damaged one, is none.
func FindCommit(ctx context.Context, repo, ref string) (string, error) {
	run, stdout, err := outputOf(ctx, gitCommand(repo, "rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}"))
	if _, failed := errors.AsType[*measure.Failure](err); failed {
		err = &Failure{reasonFor(run, err, "")}
		if run.ExitCode == noSuchRevision || !isRepository(ctx, repo) {
			return "", noCommit(ref, run, err)
		}
	}
	if err != nil {
		return "", fmt.Errorf("looking for the commit %q in %s: %w", ref, repo, err)
	}
	return strings.TrimSpace(string(stdout)), nil
}

// noSuchRevision is the exit status of git rev-parse --verify --quiet for what is not
// there (git-rev-parse(1)); its failures have 128.
const noSuchRevision = 1

// isRepository reports whether git takes dir for a part of a repository.
func isRepository(ctx context.Context, dir string) bool {
	_, err := git(ctx, dir, "rev-parse", "--git-dir")
	return err == nil || ctx.Err() != nil
}

// noCommit is the usage error about a ref that is not there, with what git says, if
// anything: that it is a tree, or that the file of the ref is broken.
func noCommit(ref string, run measure.Run, err error) error {
	const advice = "fetch it, or name one that `git rev-parse` knows"
	if len(run.Output) == 0 {
		return perf.Usagef("there is no commit %q (%s)", ref, advice)
	}
	return perf.Usagef("there is no commit %q: %w (%s)", ref, err, advice)
}

// AddWorktree checks ref of the repository at repo out into dir, which must not
// exist. The user's own checkout and index are not touched, and no hook of the
// repository runs. A ref that is not there is a usage error. The caller must remove
// the worktree; if ctx ends first, nothing is left.
func AddWorktree(ctx context.Context, repo, ref, dir string) (*Worktree, error) {
	commit, err := FindCommit(ctx, repo, ref)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding the folder of the worktree: %w", err)
	}
	w := &Worktree{Dir: abs, Commit: commit}
	if _, err := git(ctx, repo, "-c", "core.hooksPath="+os.DevNull, "worktree", "add", "--detach", abs, commit); err != nil {
		return nil, errors.Join(fmt.Errorf("checking out %q: %w", ref, err), w.Remove())
	}
	return w, nil
}

// Remove removes the checkout and what git noted about it. It may be called again.
func (w *Worktree) Remove() error { return removeWorktree(w.Dir) }

// removeWorktree removes a checkout and what its repository notes about it; any other
// folder is just removed. It starts no process, so that it works in the seconds that
// an interruption leaves, and for what a killed run has left. git worktree prune was
// no choice: it also forgets the user's worktrees on a disk that is not mounted.
func removeWorktree(dir string) error {
	notes := worktreeNotes(dir)
	if err := removeAll(dir); err != nil {
		return fmt.Errorf("removing the worktree: %w", err)
	}
	if notes == "" {
		return nil
	}
	if err := removeAll(notes); err != nil {
		return fmt.Errorf("removing what git notes about the worktree: %w", err)
	}
	_ = os.Remove(filepath.Dir(notes)) // as git does when the last one goes; it fails while there are others
	return nil
}

// worktreeNotes is the folder in which a repository notes the worktree at dir, or
// empty if there is none. The two point at each other: DIR/.git at the notes, and
// their file gitdir back (gitrepository-layout(5)). Only if both agree it is theirs.
func worktreeNotes(dir string) string {
	link := filepath.Join(dir, ".git")
	notes := pointed(link, "gitdir: ", dir)
	if filepath.Base(filepath.Dir(notes)) != "worktrees" {
		return ""
	}
	back, err := os.Stat(pointed(filepath.Join(notes, "gitdir"), "", notes))
	here, herr := os.Stat(link)
	if err != nil || herr != nil || !os.SameFile(back, here) {
		return ""
	}
	return notes
}

// pointed reads a path from a file, which is relative to base unless it is absolute;
// empty if there is none.
func pointed(file, prefix, base string) string {
	data, err := os.ReadFile(file)
	path, found := strings.CutPrefix(strings.TrimSpace(string(data)), prefix)
	if err != nil || !found || path == "" {
		return ""
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(base, path)
	}
	return filepath.Clean(filepath.FromSlash(path))
}
