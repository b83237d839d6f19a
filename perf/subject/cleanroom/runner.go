package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// runner runs test files and tells of it in its journal.
type runner struct {
	log   *journal
	exec  executor
	vars  variables
	cache *cache // nil: everything is run
}

// source is a test file after its template: its text, or why there is none.
type source struct {
	path, text string
	shifted    bool // rendering moved lines, so that positions are those of text
	err        error
}

// cmdRun is the command run.
func cmdRun(ctx context.Context, args []string, std streams) error {
	opt, paths, err := parseArgs(args, "watch", "force", "var", "steps")
	if err != nil {
		return err
	}
	ctx, out := whileRead(ctx, std.out)
	defer out.lost()
	ex, err := newExecutor(ctx, opt.steps)
	if err != nil {
		return err
	}
	r := &runner{log: newJournal(out), exec: ex, vars: opt.vars}
	r.log.info(fromRun, "Steps run %s", ex.where())
	return also(r.run(ctx, opt, paths), ex.close())
}

// run is cmdRun once it is known where steps run.
func (r *runner) run(ctx context.Context, opt options, paths []string) (err error) {
	if !opt.force {
		if r.cache, err = openCache(); err != nil {
			r.log.warn(fromRun, "No cache: %v", err)
		}
	}
	if opt.watch {
		return r.watch(ctx, paths)
	}
	if r.runPaths(ctx, paths) != nil {
		return errReported // the journal ends with it
	}
	return nil
}

// runPaths runs the test files that paths stand for. Its lines, in this order,
// are what a driver of a hot reload waits for; the error repeats the last one.
func (r *runner) runPaths(ctx context.Context, paths []string) error {
	r.log.info(fromRun, "Running cleanroom tests (framework self-testing)")
	err := r.tryPaths(ctx, paths)
	if err != nil {
		r.log.error(fromRun, "Test run failed: %v", err)
		return err
	}
	r.log.info(fromRun, "All tests passed!")
	return nil
}

// tryPaths is runPaths without its last line. A file that fails does not keep
// the others from being run; an interrupt does.
func (r *runner) tryPaths(ctx context.Context, paths []string) error {
	files, err := findFiles(paths)
	if err != nil {
		return err
	}
	// All are rendered before the first is run, and before the cache is asked:
	// what a file means depends on variables, so only its rendered text counts.
	var sources []source
	for _, path := range files {
		sources = append(sources, r.load(path))
	}
	r.log.info(fromRun, "Found %d test file(s) to execute", len(files))
	if sources = r.changed(sources); len(sources) == 0 {
		r.log.info(fromRun, "✅ All scenarios unchanged (cache hit)")
		return nil
	}
	r.log.info(fromRun, "Running %d scenario(s)...", len(sources))
	failed := 0
	for _, s := range sources {
		if r.runFile(ctx, s) != nil {
			failed++
		}
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
	}
	r.log.info(fromRun, "Test Results: %d passed, %d failed", len(sources)-failed, failed)
	if failed > 0 {
		return fmt.Errorf("ValidationError: %d test(s) failed", failed)
	}
	return nil
}

// load reads and renders one file. A fault is that file's failure and not the
// run's, so it travels with the source.
func (r *runner) load(path string) source {
	began := time.Now() // reading is a part of what the line below reports
	text, err := readSource(path)
	if err != nil {
		return source{path: path, err: err}
	}
	s := renderSource(path, text, r.vars)
	if s.err == nil {
		r.log.info(fromRun, "Rendered %s (%s)", filepath.Base(path), millis(began))
	}
	return s
}

// renderSource renders text as the content of path.
func renderSource(path, text string, vars variables) source {
	out, err := render(path, text, vars)
	shifted := strings.Count(out, "\n") != strings.Count(text, "\n")
	return source{path: path, text: out, shifted: shifted, err: err}
}

// parse parses the source; its errors tell a line of the file from one of the
// rendered text, which `cleanroom render` shows.
func (s source) parse() (*testFile, error) {
	if s.err != nil {
		return nil, s.err
	}
	name := s.path
	if s.shifted {
		name += " (rendered)"
	}
	return parse(name, s.text)
}

// changed returns the sources that the cache does not know to have passed.
func (r *runner) changed(sources []source) []source {
	if r.cache == nil {
		r.log.info(fromRun, "🔨 Force mode enabled - bypassing cache")
		return sources
	}
	r.log.info(fromRun, "🔍 Checking cache...")
	var list []source
	for _, s := range sources {
		if s.err != nil || !r.cache.passed(s.path, s.text) {
			list = append(list, s)
		}
	}
	return list
}

// runFile runs one test file, prints its result and tells the cache.
func (r *runner) runFile(ctx context.Context, s source) error {
	began := time.Now()
	err := r.runSource(ctx, s)
	file := filepath.Base(s.path)
	if err != nil {
		r.log.error(fromRun, "Test failed: %s - %v", s.path, err)
		r.log.error(fromRun, "❌ %s - FAIL (%s)", file, millis(began))
		r.log.error(fromRun, "   Error: %v", err)
	} else {
		r.log.info(fromRun, "Test passed: %s", s.path)
		r.log.info(fromRun, "✅ %s - PASS (%s)", file, millis(began))
	}
	if r.cache != nil {
		if e := r.cache.store(s.path, s.text, err == nil); e != nil {
			r.log.warn(fromRun, "The cache was not written: %v", e)
		}
	}
	return err
}

// runSource parses a test file and runs what is in it; the services are up
// while the steps and scenarios run, one after the other.
func (r *runner) runSource(ctx context.Context, s source) (err error) {
	t, err := s.parse()
	if err != nil {
		return err
	}
	r.log.info(fromTest, "🚀 Executing test: %s", t.name)
	r.log.info(fromTest, "Successfully loaded cleanroom config with default_image: %s", r.exec.image())
	for _, sv := range t.services {
		r.log.info(fromTest, "📦 Registered service plugin: %s", sv.name)
		handle, stop, err := r.exec.startService(ctx, sv)
		if err != nil {
			return err
		}
		defer func() { err = also(err, stop()) }() // in the reverse order, after the last scenario
		r.log.info(fromTest, "✅ Service '%s' started successfully (handle: %s)", sv.name, handle)
	}
	if err := r.runSteps(ctx, t.steps); err != nil {
		return err
	}
	for _, sc := range t.scenarios {
		r.log.info(fromTest, "🚀 Executing scenario: %s", sc.name)
		if err := r.runSteps(ctx, sc.steps); err != nil {
			return fmt.Errorf("scenario '%s': %w", sc.name, err)
		}
		r.log.info(fromTest, "✅ Scenario '%s' completed successfully", sc.name)
	}
	r.log.info(fromTest, "🎉 Test '%s' completed successfully!", t.name)
	return nil
}

// runSteps runs steps in order and ends with the first that fails: the next may
// rely on what it has done to a service.
func (r *runner) runSteps(ctx context.Context, steps []step) error {
	for i, st := range steps {
		r.log.info(fromTest, "📋 Step %d: %s", i+1, st.name)
		if err := r.runStep(ctx, st); err != nil {
			return fmt.Errorf("step '%s': %w", st.name, err)
		}
		r.log.info(fromTest, "✅ Step '%s' completed successfully", st.name)
	}
	return nil
}

// runStep runs one step and compares its output with what the file expects. A
// step without an expression passes by its exit status alone.
func (r *runner) runStep(ctx context.Context, st step) error {
	r.log.info(fromTest, "🔧 Executing: %s", st.command)
	stage := func(msg string) { r.log.info(fromTest, "%s", msg) }
	output, err := r.exec.runStep(ctx, st, stage)
	if err != nil {
		return err
	}
	r.log.info(fromTest, "📤 Output: %s", excerpt(output))
	if st.want == nil {
		return nil
	}
	if !st.want.MatchString(output) {
		return fmt.Errorf("output does not match %q: %s", st.want, excerpt(output))
	}
	r.log.info(fromTest, "✅ Output matches expected regex")
	return nil
}

// excerpt quotes the start of an output, in ASCII, so that no output can pass
// for a marker.
func excerpt(s string) string {
	const most = 200
	if len(s) > most {
		return fmt.Sprintf("%s... (%d bytes)", strconv.QuoteToASCII(s[:most]), len(s))
	}
	return strconv.QuoteToASCII(s)
}

// millis returns the time since began in whole milliseconds, as the marker
// lines show it: "12ms".
func millis(began time.Time) string {
	return fmt.Sprintf("%dms", time.Since(began).Milliseconds())
}
