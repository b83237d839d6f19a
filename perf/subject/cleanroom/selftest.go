package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"time"
)

//go:embed selftest/*.clnrm.toml
var selftestFiles embed.FS

// mustFail marks a test file that is right when it fails, and with what: the
// rest of the line is an expression that the error matches. Without it nothing
// would show that a failure is noticed.
const mustFail = "# must fail: "

// inContainer marks a test file whose steps run in containers when the others are
// processes: what they show is of the room and not of an applet, whose work is the
// same anywhere, and which a quarter of a second for each step would hide.
const inContainer = "# in containers\n"

// selfTestJobs is how many files of containers run at once: an engine gains little
// beyond, its own work being on the same cores.
const selfTestJobs = 4

// cmdSelfTest runs the test files that the program carries.
func cmdSelfTest(ctx context.Context, args []string, std streams) error {
	opt, operands, err := parseArgs(args, "steps")
	if err != nil {
		return err
	}
	if len(operands) > 0 {
		return fmt.Errorf("%w: self-test takes no operand", errUsage)
	}
	ctx, out := whileRead(ctx, std.out)
	defer out.lost()
	rooms, err := newExecutor(ctx, opt.steps)
	if err != nil {
		return err
	}
	return also(selfTest(ctx, selftestFiles, rooms, out), rooms.close())
}

// selfTest runs all test files of files and prints a line for each and a sum. Those
// that are marked run in rooms, the others in processes.
func selfTest(ctx context.Context, files fs.FS, rooms executor, out io.Writer) error {
	began := time.Now()
	processes, err := newProcessExecutor("")
	if err != nil {
		return err
	}
	tests, marked, err := readSelfTests(files)
	if err != nil {
		return err
	}
	// Should the output be lost, the last line below is as well, and reports it.
	_, _ = fmt.Fprintln(out, "Framework Self-Test Results:")
	_, _ = fmt.Fprintf(out, "Steps of %d files of %d run %s\n", len(marked), len(tests)+len(marked), rooms.where())
	// The processes first, one at a time, each file reported as it ends: beside the
	// engine's work their own would be measured as slower than it is.
	failed := 0
	for _, t := range tests {
		t.run(ctx, processes)
		failed += t.report(ctx, out)
	}
	startAll(ctx, marked, rooms)
	for _, t := range marked {
		<-t.done
		failed += t.report(ctx, out)
	}
	if ctx.Err() != nil {
		return errors.New("self-test: interrupted")
	}
	tests = append(tests, marked...)
	_, _ = fmt.Fprintf(out, "Total: %d tests, %d passed, %d failed\n", len(tests), len(tests)-failed, failed)
	verdict := "✅ ALL PASSED"
	if failed > 0 {
		verdict = "❌ SOME FAILED"
	}
	if _, err := fmt.Fprintf(out, "Overall: %s (%.1fs)\n", verdict, time.Since(began).Seconds()); err != nil {
		return fmt.Errorf("self-test: print the result: %w", err)
	}
	if failed > 0 {
		return errReported
	}
	return nil
}

// selfTestFile is one test file that the program carries, and what came of it.
type selfTestFile struct {
	name, text string
	took       string
	err        error
	done       chan struct{} // closed at its end, where others run meanwhile
}

// readSelfTests returns the test files by name: those of processes, and those that
// are marked.
func readSelfTests(files fs.FS) (tests, marked []*selfTestFile, err error) {
	names, err := fs.Glob(files, "*/*"+suffix)
	if err != nil || len(names) == 0 {
		return nil, nil, errors.Join(errors.New("self-test: no test file in the program"), err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, nil, fmt.Errorf("self-test: %w", err)
		}
		t := &selfTestFile{name: name, text: string(text), done: make(chan struct{})}
		if strings.Contains(t.text, inContainer) {
			marked = append(marked, t)
		} else {
			tests = append(tests, t)
		}
	}
	return tests, marked, nil
}

// startAll starts the files, a few at once; each closes its done at its end.
func startAll(ctx context.Context, tests []*selfTestFile, ex executor) {
	limit := make(chan struct{}, selfTestJobs)
	for _, t := range tests {
		go func() {
			defer close(t.done)
			limit <- struct{}{}
			defer func() { <-limit }()
			t.run(ctx, ex)
		}()
	}
}

// run runs the file. The journal is written like that of any run, and thrown away:
// its lines would drown the result, and to leave them out would be other work.
func (t *selfTestFile) run(ctx context.Context, ex executor) {
	if t.err = ctx.Err(); t.err != nil {
		return
	}
	began := time.Now()
	r := &runner{log: newJournal(io.Discard), exec: ex}
	t.err = expected(t.text, r.runSource(ctx, renderSource(t.name, t.text, nil)))
	t.took = millis(began)
}

// report prints the file's line and returns 1 if it failed. Whoever interrupts the
// self-test has no use for a list of what was not run.
func (t *selfTestFile) report(ctx context.Context, out io.Writer) (failed int) {
	if ctx.Err() != nil {
		return 0
	}
	if t.err != nil {
		_, _ = fmt.Fprintf(out, "❌ %s - FAIL (%s)\n   Error: %v\n", t.name, t.took, t.err)
		return 1
	}
	_, _ = fmt.Fprintf(out, "✅ %s - PASS (%s)\n", t.name, t.took)
	return 0
}

// expected turns the result of a file into that of its self-test: an error that
// the file foretells is none, and to pass in spite of that is one.
func expected(text string, err error) error {
	_, rest, foretold := strings.Cut(text, mustFail)
	if !foretold {
		return err
	}
	expr, _, _ := strings.Cut(rest, "\n")
	want, reErr := regexp.Compile(strings.TrimSpace(expr))
	switch {
	case reErr != nil:
		return fmt.Errorf("%q is not followed by an expression: %w", mustFail, reErr)
	case err == nil:
		return fmt.Errorf("passed, but should have failed with %q", want)
	case !want.MatchString(err.Error()):
		return fmt.Errorf("failed with %w, but should have with %q", err, want)
	}
	return nil
}
