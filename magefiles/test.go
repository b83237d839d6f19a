//go:build mage

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sort"
	"strings"
)

// Test runs all tests, with the race detector where there is a C compiler.
//
// Packages that measure, or use a container engine, are tested one after another, so
// that they do not disturb each other; the others before them, beside each other. Those
// in which nothing can race are tested without the detector.
//
// A test that lacks a tool is skipped, and the skips are listed at the end with
// their reasons. PERF_REQUIRE=docker,perf,... turns the skips for want of these
// tools into failures.
//
// Example:
//
//	PERF_REQUIRE=cc,cargo go tool mage test -run=TestMemory
//
//mage:multiline
func Test(ctx context.Context,
	run *string, /* only the tests that match this regular expression */
	pkg *string, /* only these packages; default ./... */
	short *bool, /* leave out what takes long */
	jobs *int, /* how many packages that measure nothing are tested at once; default as go test */
	which *string, /* alone: only the packages that measure or use an engine; beside: only the others */
) error {
	args := []string{"test", "-json", "-tags=mage", "-timeout=20m"}
	if run != nil {
		args = append(args, "-run="+*run)
	}
	if short != nil && *short {
		args = append(args, "-short")
	}
	patterns := "./..."
	if pkg != nil {
		patterns = *pkg
	}
	groups, err := groupsOf(ctx, patterns, which, jobs)
	if err != nil {
		return err
	}
	t := newTally(os.Stdout)
	var errs []error
	for _, g := range groups {
		if len(g.packages) > 0 && ctx.Err() == nil {
			errs = append(errs, goTest(ctx, t, slices.Concat(args, g.args, g.packages)))
		}
	}
	t.summary()
	if err := errors.Join(errs...); err != nil || t.passed > 0 {
		return err
	}
	return fmt.Errorf("no test ran in %s", patterns)
}

// besides are the packages whose tests neither measure time or memory nor use a container
// engine. A package that is not among them is tested alone.
var besides = []string{
	"perf", "perf/suite", "perf/stats/proof", "perf/benchio", "perf/profileio", "perf/perfdata", "perf/calltree",
	"perf/flamegraph", "perf/baseline", "perf/gocache", "perf/report", "perf/container/probe", "perf/internal/testenv", "perf/internal/clnrmtest", "magefiles",
}

// sequential are the packages that start no goroutine, which a test of theirs holds. The
// race detector has nothing to find there, and simulations take seven times as long with it.
var sequential = []string{"perf/stats"}

// A group is packages that are tested by one call of go test, with args of their own.
type group struct {
	args, packages []string
}

// groupsOf sorts the packages that patterns match: first what can be tested beside other
// work, then what cannot. which leaves one of both out.
func groupsOf(ctx context.Context, patterns string, which *string, jobs *int) ([]group, error) {
	var race, at []string
	if hasRace(ctx) {
		race = []string{"-race"}
	}
	if jobs != nil {
		at = []string{fmt.Sprintf("-p=%d", *jobs)}
	}
	plain, quiet, measuring, err := split(ctx, patterns)
	beside := []group{{at, plain}, {slices.Concat(race, at), quiet}}
	alone := group{append(race[:len(race):len(race)], "-p=1"), measuring}
	switch {
	case err != nil:
		return nil, err
	case which == nil:
		return append(beside, alone), nil
	case *which == "beside":
		return beside, nil
	case *which == "alone":
		return []group{alone}, nil
	}
	return nil, fmt.Errorf("-which=%s is neither alone nor beside", *which)
}

// split lists the packages that patterns match: those of sequential, those of besides,
// and the others.
func split(ctx context.Context, patterns string) (plain, quiet, measuring []string, err error) {
	list := exec.CommandContext(ctx, "go", "list", "-tags=mage", "-f={{.Module.Path}} {{.ImportPath}}", patterns)
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("listing the packages of %s: %w", patterns, err)
	}
	for line := range strings.Lines(string(out)) {
		module, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name := strings.TrimPrefix(path, module+"/"); {
		case slices.Contains(sequential, name):
			plain = append(plain, path)
		case slices.Contains(besides, name):
			quiet = append(quiet, path)
		default:
			measuring = append(measuring, path)
		}
	}
	return plain, quiet, measuring, nil
}

// hasRace reports whether the race detector can be linked.
func hasRace(ctx context.Context) bool {
	out, err := exec.CommandContext(ctx, "go", "env", "CGO_ENABLED", "CC").Output()
	fields := strings.Fields(string(out))
	if err != nil || len(fields) < 2 || fields[0] != "1" {
		return false
	}
	_, err = exec.LookPath(fields[1])
	return err == nil
}

// goTest runs the go command and adds what its tests did to the tally.
func goTest(ctx context.Context, t *tally, args []string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting go test: %w", err)
	}
	readErr := t.read(events)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go test: %w", err)
	}
	return readErr
}

// event is a line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

// tally adds up the events of a test run. Of a test that passes nothing is printed.
type tally struct {
	w                       io.Writer
	passed, failed, skipped int
	output                  map[string][]string // by package and test, while it runs
	skips                   []string
}

func newTally(w io.Writer) *tally { return &tally{w: w, output: map[string][]string{}} }

// read takes events until there are no more. A line that is none is printed as it is:
// the go command prints some of its errors so.
func (t *tally) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil {
				fmt.Fprint(t.w, line)
			} else {
				t.event(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the events of go test: %w", err)
		}
	}
}

func (t *tally) event(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		t.output[key] = append(t.output[key], e.Output)
	case "build-output":
		fmt.Fprint(t.w, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.packageEnd(e, key)
		} else {
			t.testEnd(e, key)
		}
		delete(t.output, key)
	}
}

func (t *tally) testEnd(e event, key string) {
	switch e.Action {
	case "pass":
		t.passed++
	case "fail":
		t.failed++
		fmt.Fprint(t.w, strings.Join(t.output[key], ""))
	case "skip":
		t.skipped++
		t.skips = append(t.skips, fmt.Sprintf("%s in %s: %s", e.Test, e.Package, skipReason(t.output[key])))
	}
}

func (t *tally) packageEnd(e event, key string) {
	word := map[string]string{"pass": "ok", "fail": "FAIL", "skip": "no tests"}[e.Action]
	if e.Action == "fail" {
		t.neverEnded(e.Package)
		fmt.Fprint(t.w, strings.Join(t.output[key], ""))
	}
	fmt.Fprintf(t.w, "%-8s %s  %.1fs\n", word, e.Package, e.Elapsed)
}

// neverEnded prints what the tests of a package said that had not ended when it did: one
// of them hung until the time limit or took the process with it, and where it stood is in
// its output.
func (t *tally) neverEnded(pkg string) {
	var running []string
	for key := range t.output {
		if test, ok := strings.CutPrefix(key, pkg+" "); ok && test != "" {
			running = append(running, key)
		}
	}
	sort.Strings(running)
	for _, key := range running {
		t.failed++
		fmt.Fprint(t.w, strings.Join(t.output[key], ""))
		fmt.Fprintf(t.w, "--- FAIL: %s (it did not end)\n", strings.TrimPrefix(key, pkg+" "))
		delete(t.output, key)
	}
}

// skipReason is what a skipped test said: the line that carries a file and a number.
func skipReason(output []string) string {
	for _, line := range output {
		line = strings.TrimSpace(line)
		if _, reason, ok := strings.Cut(line, ".go:"); ok {
			if _, text, ok := strings.Cut(reason, ": "); ok {
				return text
			}
		}
	}
	return "no reason given"
}

// summary lists the skips, and closes with one line of counts.
func (t *tally) summary() {
	sort.Strings(t.skips)
	if len(t.skips) > 0 {
		fmt.Fprintln(t.w, "\nskipped:")
		for _, s := range t.skips {
			fmt.Fprintln(t.w, "  "+s)
		}
	}
	fmt.Fprintf(t.w, "\n%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
}
