package targets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/gocache"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// cacheVerb makes this program a build cache of the go command, in place of what it is. The
// folders of the cache and of those that it takes over from come behind it.
const cacheVerb = "clnrm-perf-gocache"

func init() {
	if len(os.Args) < 3 || os.Args[1] != cacheVerb {
		return
	}
	if err := gocache.Serve(os.Args[2], os.Args[3:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(perf.ExitFailure)
	}
	os.Exit(perf.ExitOK)
}

// A buildCache is a build cache of the go command as the environment of what uses it.
type buildCache struct {
	env    []string // of everything: it finds what was built, and no other program in its way
	builds []string // beside env, of what is not measured: it takes over what is built elsewhere
}

// buildCaches gives each side of a comparison a build cache of its own. Its builds take over
// what the user's cache holds, and those of the new side what the old one's does: with an
// empty one, each would make the standard library and all dependencies again. Without the
// go command nothing is to be given.
func (r *run) buildCaches(ctx context.Context, root string) (caches [2]buildCache) {
	users, err := goCacheOf(ctx, root)
	if errors.Is(err, exec.ErrNotFound) {
		return caches
	}
	dirs := sideCaches(r.space.Dir)
	for i, own := range dirs {
		caches[i].env = []string{"GOCACHE=" + own, "GOCACHEPROG="}
		var command string
		if err == nil {
			command, err = cacheCommand(ctx, own, slices.Concat([]string{users.folder}, dirs[:i]))
		}
		if err == nil {
			caches[i].builds = []string{"GOCACHEPROG=" + command}
		}
	}
	if err != nil {
		r.warn(fmt.Sprintf("what your build cache holds cannot be taken over, so that building takes longer: %v", err))
	}
	r.warnPersistent(users)
	return caches
}

// A goCache is where the go command keeps what it builds.
type goCache struct {
	folder  string
	program string // what `go env -w` has set GOCACHEPROG to: the environment can change that, and not end it
}

// goCacheOf asks the go command what it uses in the folder dir.
func goCacheOf(ctx context.Context, dir string) (c goCache, err error) {
	cmd := exec.CommandContext(ctx, "go", "env", "GOCACHE", "GOCACHEPROG")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOCACHEPROG=")
	out, err := cmd.Output()
	if err != nil {
		return c, fmt.Errorf("asking the go command for its build cache: %w", err)
	}
	folder, program, _ := strings.Cut(string(out), "\n")
	return goCache{strings.TrimSpace(folder), strings.TrimSpace(program)}, nil
}

// warnPersistent warns of a program that serves every build, also those that are measured.
func (r *run) warnPersistent(c goCache) {
	if c.program != "" {
		r.result.Warnings = append(r.result.Warnings, perf.Warning{Kind: perf.WarnEnvironment, Text: fmt.Sprintf(
			"go env -w has set GOCACHEPROG to %s: it serves the builds that are measured, too, so that no build begins with an empty cache (go env -u GOCACHEPROG ends that)", c.program)})
	}
}

// checkEmptyCache warns where a build is measured that is to begin with an empty cache of the
// go command and cannot.
func (r *run) checkEmptyCache(ctx context.Context, steps []suite.Step) {
	if !slices.ContainsFunc(steps, func(s suite.Step) bool { return s.Wanted && slices.Contains(s.CleanEnv, "GOCACHEPROG=") }) {
		return
	}
	if c, err := goCacheOf(ctx, "."); err == nil { // else the build will say what is wrong
		r.warnPersistent(c)
	}
}

// sideCaches are the folders of the build caches of both sides. They are kept, since what a
// user builds may differ from what is built here in every flag, and then his cache has
// nothing. Where there is no place for that, they are in the folder of the run.
func sideCaches(work string) (dirs [2]string) {
	kept, err := os.UserCacheDir()
	for i, name := range sideNames {
		dirs[i] = filepath.Join(kept, "clnrm-perf", "go-build", name)
		if err == nil {
			err = writable(dirs[i])
		}
	}
	if err != nil {
		for i, name := range sideNames {
			dirs[i] = filepath.Join(work, "go-build", name)
		}
	}
	return dirs
}

// writable makes a folder, unless it is there, and sees whether a file can be written in it:
// a run as root may have left one that is only root's, and a disk may be full.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	probe, err := os.CreateTemp(dir, "probe")
	if err != nil {
		return err
	}
	_, err = probe.WriteString("probe")
	return errors.Join(err, probe.Close(), os.Remove(probe.Name()))
}

// cacheCommand is the command that serves a cache, as the go command reads it. It is tried:
// what this program prints when it starts, as the init of an imported package may, would
// end each build.
func cacheCommand(ctx context.Context, own string, others []string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding this program, which serves the cache: %w", err)
	}
	words := append([]string{self, cacheVerb, own}, others...)
	out, err := exec.CommandContext(ctx, words[0], words[1:]...).Output()
	if err == nil {
		err = gocache.CheckOutput(bytes.TrimSpace(out))
	}
	if err != nil {
		return "", fmt.Errorf("starting this program as a cache: %w", err)
	}
	return asCommand(words)
}

// asCommand is the command of these words as the go command splits it.
func asCommand(words []string) (string, error) {
	var quoted []string
	for _, word := range words {
		q, ok := quote(word)
		if !ok {
			return "", fmt.Errorf("%s holds quotes of both kinds, which the go command cannot be told", word)
		}
		quoted = append(quoted, q)
	}
	return strings.Join(quoted, " "), nil
}
