package profiler

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// isCargo takes cargo test and cargo bench, which build programs and start them.
func isCargo(c Command) bool {
	return len(c.Args) > 1 && strings.TrimSuffix(filepath.Base(c.Args[0]), ".exe") == "cargo" && (c.Args[1] == "test" || c.Args[1] == "bench")
}

// cargoMessage is a line of cargo --message-format=json (The Cargo Book, "External tools"):
// of what was built, the program, and whether it is one of tests.
type cargoMessage struct {
	Reason       string `json:"reason"`
	ManifestPath string `json:"manifest_path"`
	Executable   string `json:"executable"`
	Profile      struct {
		Test bool `json:"test"`
	} `json:"profile"`
}

// cargoBinaries asks cargo for the programs that the command would start, and makes a
// command for each, as cargo would start it. A recorder of the heap does not follow from one
// program into the next: it has to start those itself. Tests in documentation are compiled
// while they run, and are not among them.
func cargoBinaries(ctx context.Context, c Command) ([]Command, error) {
	args, rest := c.Args[1:], []string(nil)
	if at := slices.Index(args, "--"); at >= 0 {
		args, rest = args[:at], args[at+1:]
	}
	build := c
	build.Args = slices.Concat([]string{c.Args[0]}, args, []string{"--no-run", "--message-format=json"})
	out, err := output(ctx, build)
	if err != nil {
		return nil, err
	}
	var commands []Command
	for line := range bytes.Lines(out) {
		var m cargoMessage
		if json.Unmarshal(line, &m) != nil || m.Reason != "compiler-artifact" || m.Executable == "" || !m.Profile.Test && c.Args[1] == "test" {
			continue // what a build script prints, and programs that tests start by themselves
		}
		commands = append(commands, cargoStart(c, m, rest))
	}
	if len(commands) == 0 {
		return nil, fmt.Errorf("%s builds no program to record", build)
	}
	return commands, nil
}

// cargoStart is how cargo starts a program: in the folder of its package, with the variables
// that tests find their files by (The Cargo Book, "Environment variables").
func cargoStart(c Command, m cargoMessage, rest []string) Command {
	dir := filepath.Dir(m.ManifestPath)
	env := c.Env
	if env == nil {
		env = os.Environ()
	}
	args := []string{m.Executable}
	if c.Args[1] == "bench" {
		args = append(args, "--bench")
	}
	return Command{Args: append(args, rest...), Dir: dir, Env: append(slices.Clone(env), "CARGO="+c.Args[0], "CARGO_MANIFEST_DIR="+dir)}
}

// heapOfCargo records the programs of cargo test or cargo bench, one after the other, and
// adds them up.
func heapOfCargo(ctx context.Context, c Command, o Options) (*Recording, error) {
	commands, err := cargoBinaries(ctx, c)
	if err != nil {
		return nil, err
	}
	sum := &Recording{Kind: KindHeap}
	var parts []*profile.Profile
	for _, cmd := range commands {
		rec, err := Heap(ctx, cmd, o)
		if err != nil {
			if ctx.Err() == nil && errors.Is(err, ErrNothing) {
				continue
			}
			return nil, err
		}
		sum.Tool, sum.Mode, sum.Notes = rec.Tool, rec.Mode, rec.Notes
		sum.add(rec)
		parts = append(parts, rec.Profile)
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("recording the programs of %s: %w", c, ErrNothing)
	}
	if sum.Profile, err = merged(parts); err != nil {
		return nil, fmt.Errorf("adding up the programs of %s: %w", c, err)
	}
	sum.Runs = 1
	sum.Notes = append(sum.Notes, fmt.Sprintf("of %d programs that cargo starts, recorded one after the other; peaks are added up, and tests in documentation are not in it", len(parts)))
	return sum, sum.assess(false)
}
