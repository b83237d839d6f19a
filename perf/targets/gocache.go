package targets

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/gocache"
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

// sideCaches are the folders of the build caches of both sides. They are kept, since what a
// user builds may differ from what is built here in every flag, and then his cache has
// nothing. Where there is no place for that, they are in the folder of the run.
func sideCaches(work string) (dirs [2]string) {
	root, err := os.UserCacheDir()
	if err == nil {
		root = filepath.Join(root, "clnrm-perf", "go-build")
		err = writable(root)
	}
	if err != nil {
		root = filepath.Join(work, "go-build")
	}
	for i, name := range sideNames {
		dirs[i] = filepath.Join(root, name)
	}
	return dirs
}

// writable makes a folder, unless it is there, and sees whether another can be made in it: a
// run as root may have left one that is only root's.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	probe, err := os.MkdirTemp(dir, "probe")
	if err != nil {
		return err
	}
	return os.Remove(probe)
}

// ownCache gives the go command a build cache of its own in the folder own, for work in the
// folder dir. What is not measured takes over what the user's cache and those of others
// hold: an empty one makes the standard library and all dependencies again. What is measured
// finds what that has made, and no other program in its way. Without the go command nothing
// is to be given.
func ownCache(ctx context.Context, dir, own string, others ...string) (all, builds []string) {
	users, err := output(ctx, dir, "go", "env", "GOCACHE")
	if err != nil {
		return nil, nil
	}
	all = []string{"GOCACHE=" + own, "GOCACHEPROG="}
	command, err := cacheCommand(own, append([]string{strings.TrimSpace(users)}, others...))
	if err != nil {
		return all, nil // slower, and the same
	}
	return all, []string{"GOCACHEPROG=" + command}
}

// cacheCommand is the command that serves a cache, as the go command reads it.
func cacheCommand(own string, others []string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	words := append([]string{self, cacheVerb, own}, others...)
	for i, word := range words {
		quoted, ok := quote(word)
		if !ok {
			return "", fmt.Errorf("%s holds quotes of both kinds", word)
		}
		words[i] = quoted
	}
	return strings.Join(words, " "), nil
}
