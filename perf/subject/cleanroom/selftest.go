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

// cmdSelfTest runs the test files that the program carries.
func cmdSelfTest(ctx context.Context, args []string, std streams) error {
	_, operands, err := parseArgs(args)
	if err != nil {
		return err
	}
	if len(operands) > 0 {
		return fmt.Errorf("%w: self-test takes no operand", errUsage)
	}
	return selfTest(ctx, selftestFiles, std.out)
}

// selfTest runs all test files of files and prints a line for each and a sum.
func selfTest(ctx context.Context, files fs.FS, out io.Writer) error {
	began := time.Now()
	ex, err := newExecutor()
	if err != nil {
		return err
	}
	names, err := fs.Glob(files, "*/*"+suffix)
	if err != nil || len(names) == 0 {
		return errors.Join(errors.New("self-test: no test file in the program"), err)
	}
	// The journal is written like that of any run, and thrown away: its lines
	// would drown the result, and to leave them out would be other work.
	r := &runner{log: newJournal(io.Discard), exec: ex}
	// Should the output be lost, the last line below is as well, and reports it.
	_, _ = fmt.Fprintln(out, "Framework Self-Test Results:")
	failed := 0
	for _, name := range names {
		if err := r.selfTestFile(ctx, files, name, out); err != nil {
			failed++
		}
		if ctx.Err() != nil {
			return errors.New("self-test: interrupted")
		}
	}
	_, _ = fmt.Fprintf(out, "Total: %d tests, %d passed, %d failed\n", len(names), len(names)-failed, failed)
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

// selfTestFile runs one file and prints its line.
func (r *runner) selfTestFile(ctx context.Context, files fs.FS, name string, out io.Writer) error {
	began := time.Now()
	text, err := fs.ReadFile(files, name)
	if err == nil {
		err = r.runSource(ctx, renderSource(name, string(text), nil))
		err = expected(string(text), err)
	}
	if err != nil {
		_, _ = fmt.Fprintf(out, "❌ %s - FAIL (%s)\n   Error: %v\n", name, millis(began), err)
		return err
	}
	_, _ = fmt.Fprintf(out, "✅ %s - PASS (%s)\n", name, millis(began))
	return nil
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
