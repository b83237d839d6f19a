package experiment

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// WorktreeRef stands for the state of the user's checkout with all changes that are not
// committed, in place of a ref.
const WorktreeRef = "WORKTREE"

// A Repository is the git repository around a folder.
type Repository struct {
	Root   string // of the checkout
	Prefix string // the folder, below Root; empty where it is Root
}

// FindRepository finds the repository that dir lies in.
func FindRepository(ctx context.Context, dir string) (Repository, error) {
	root, err := git(ctx, dir, "rev-parse", "--show-toplevel")
	if err != nil {
		return Repository{}, fmt.Errorf("comparing refs takes a git repository: %w", err)
	}
	prefix, err := git(ctx, dir, "rev-parse", "--show-prefix")
	return Repository{Root: filepath.FromSlash(root), Prefix: filepath.FromSlash(strings.TrimSuffix(prefix, "/"))}, err
}

// Commit returns the commit that ref names; for [WorktreeRef] that is HEAD. Where there is
// none, the error says what could be done.
func (r Repository) Commit(ctx context.Context, ref string) (string, error) {
	if ref == WorktreeRef {
		ref = "HEAD"
	}
	return FindCommit(ctx, r.Root, ref)
}

// Shallow reports whether the clone lacks its history.
func (r Repository) Shallow(ctx context.Context) (bool, error) {
	out, err := git(ctx, r.Root, "rev-parse", "--is-shallow-repository")
	return out == "true", err
}

// MergeBase is the commit at which HEAD left the branch base. Where base is HEAD itself,
// it is the parent: a gate on the main branch judges its last commit.
func (r Repository) MergeBase(ctx context.Context, base string) (string, error) {
	commit, err := git(ctx, r.Root, "merge-base", base, "HEAD")
	if err != nil {
		return "", fmt.Errorf("looking for where HEAD left %s: %w", base, err)
	}
	head, err := r.Commit(ctx, "HEAD")
	if err != nil || commit != head {
		return commit, err
	}
	parent, err := git(ctx, r.Root, "rev-parse", "--verify", "HEAD^")
	if err != nil {
		return "", fmt.Errorf("%s is HEAD itself, and HEAD has no parent to be compared with: %w", base, err)
	}
	return parent, nil
}

// CheckOut makes a worktree of ref in dir, which must not exist. That of [WorktreeRef]
// gets the changes of the user's checkout, which is only read. The caller must remove it.
func (r Repository) CheckOut(ctx context.Context, ref, dir string) (*Worktree, error) {
	commit, err := r.Commit(ctx, ref)
	if err != nil {
		return nil, err
	}
	w, err := AddWorktree(ctx, r.Root, commit, dir)
	if err != nil || ref != WorktreeRef {
		return w, err
	}
	if err := r.overlay(ctx, w.Dir); err != nil {
		return nil, errors.Join(fmt.Errorf("copying the changes that are not committed: %w", err), w.Remove())
	}
	return w, nil
}

// overlay copies into dir what the checkout has beside HEAD: files that were changed,
// added or removed, and those that git does not know and does not ignore.
func (r Repository) overlay(ctx context.Context, dir string) error {
	changed, err := gitFiles(ctx, r.Root, "diff", "--name-only", "--no-renames", "--ignore-submodules", "-z", "HEAD")
	if err != nil {
		return err
	}
	unknown, err := gitFiles(ctx, r.Root, "ls-files", "--others", "--exclude-standard", "-z")
	if err != nil {
		return err
	}
	for _, name := range append(changed, unknown...) {
		if err := copyOver(r.Root, dir, filepath.FromSlash(name)); err != nil {
			return err
		}
	}
	return nil
}

// gitFiles returns the names that git prints with a zero byte behind each.
func gitFiles(ctx context.Context, dir string, args ...string) ([]string, error) {
	_, stdout, err := outputOf(ctx, gitCommand(dir, args...))
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range bytes.SplitSeq(stdout, []byte{0}) {
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	return names, nil
}

// copyOver makes of what is called name below the folder dir what it is below root: a file,
// a symbolic link, or nothing. Git names no file behind a link, and neither is one touched
// here: where a folder of name has become a link, it may lead to where nobody has a copy.
func copyOver(root, dir, name string) error {
	from, to := filepath.Join(root, name), filepath.Join(dir, name)
	blocked, err := noFolder(root, name)
	if err != nil {
		return err
	}
	info, err := os.Lstat(from)
	gone := blocked != "" || errors.Is(err, fs.ErrNotExist)
	if err != nil && !gone {
		return err
	}
	inTheWay, err := noFolder(dir, name)
	switch {
	case err != nil:
	case inTheWay == "":
		err = removeAll(to)
	case !gone:
		err = os.Remove(inTheWay)
	}
	if err != nil {
		return err
	}
	if gone || info.IsDir() { // a folder is a submodule, or a repository of its own
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	if !info.Mode().IsRegular() {
		return nil // a socket or a pipe
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, info.Mode().Perm())
}

// noFolder is the first of the folders of name below root that is there and is none: a
// file or a link. It is empty where there is no such one.
func noFolder(root, name string) (string, error) {
	for i := range len(name) {
		if !os.IsPathSeparator(name[i]) {
			continue
		}
		path := filepath.Join(root, name[:i])
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		if !info.IsDir() {
			return path, nil
		}
	}
	return "", nil
}

// Build runs the command of a step once, as that of a workload which another one needs.
func (p Processes) Build(ctx context.Context, step suite.Step) error {
	step.Wanted = false
	if err := runOnce(ctx, p.Runner(step)); err != nil {
		return fmt.Errorf("%s failed: %w", step.Name, err)
	}
	return nil
}

// Alike reports whether several builds of a step have made the same programs, byte for
// byte. Then what was to differ between them, the layout of the code, does not. A step
// that names no program, or only one build, is not alike.
func Alike(builds []Processes, step suite.Step) (bool, error) {
	sums := map[[sha256.Size]byte]bool{}
	for _, p := range builds {
		h := sha256.New()
		for _, name := range step.Expand(p.Work).Creates {
			data, err := os.ReadFile(name)
			if err != nil {
				return false, fmt.Errorf("comparing the builds of %s: %w", step.Name, err)
			}
			h.Write(data)
		}
		sums[[sha256.Size]byte(h.Sum(nil))] = true
	}
	return len(builds) > 1 && len(step.Creates) > 0 && len(sums) < len(builds), nil
}
