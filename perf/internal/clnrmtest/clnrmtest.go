// Package clnrmtest plays `clnrm run --watch`, for tests of what measures it: a clnrm
// takes minutes and a network to build. It prints the lines of clnrm with all that
// makes them hard to follow (colours in a pipe, lines that stand there twice, spans in
// front of messages, a rerun for each event without any debounce), and can be told to
// misbehave. A test binary that finds [Env] in its environment calls [Main].
package clnrmtest

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Env is the variable that makes a test binary play clnrm. Its value is a list of
// KEY=VALUE, separated by commas:
//
//	reruns=N      events that one save leads to; default 1
//	pause=D       what clnrm always sleeps after a change; default none
//	pull=D        how long the containers of a file take; default none
//	plain=1       no colours, as with NO_COLOR
//	trap=blind    sees no change
//	trap=mute     reruns and gives no result
//	trap=cache    takes every result out of a cache
//	trap=stale    runs what it has read first, for ever
//	trap=lie      says that everything passes
//	trap=vague    does not say when it has parsed a file
//	trap=restless reruns for ever after the first change
//	trap=unready  never gets ready
//	trap=deaf     ends on neither SIGINT nor SIGTERM
//	trap=die      exits with status 1 in its first rerun
//	trap=quit     exits with status 0 in its first rerun
const Env = "CLNRM_PERF_TEST_CLNRM"

// Main plays clnrm with the arguments of the process and the value of [Env], and
// returns the exit status: 2 for arguments that clnrm would refuse, too.
func Main(options string, args []string, out io.Writer) int {
	if len(args) == 0 || args[0] != "run" || !strings.Contains(strings.Join(args, " "), "--watch") {
		fmt.Fprintf(out, "error: unexpected arguments %q\n", args)
		return 2
	}
	c := &clnrm{out: out, dir: args[len(args)-1], reruns: 1}
	for _, o := range strings.FieldsFunc(options, func(r rune) bool { return r == ',' }) {
		if err := c.option(o); err != nil {
			fmt.Fprintf(out, "error: %v\n", err)
			return 2
		}
	}
	if c.trap == "deaf" {
		signal.Ignore(os.Interrupt, syscall.SIGTERM)
	}
	return c.watch()
}

type clnrm struct {
	out         io.Writer
	dir, trap   string
	reruns      int
	pause, pull time.Duration
	plain       bool
	first       []byte // what the file held at the start
}

func (c *clnrm) option(o string) (err error) {
	key, value, _ := strings.Cut(o, "=")
	switch key {
	case "reruns":
		_, err = fmt.Sscan(value, &c.reruns)
	case "pause":
		c.pause, err = time.ParseDuration(value)
	case "pull":
		c.pull, err = time.ParseDuration(value)
	case "plain":
		c.plain = true
	case "trap":
		c.trap = value
	default:
		err = fmt.Errorf("unknown option %q", o)
	}
	return err
}

// say writes a line of the log in one write, as Rust's line-buffered stdout does.
func (c *clnrm) say(level, format string, args ...any) {
	span := `clnrm.test{path="` + c.dir + `" test.hermetic=true}: clnrm_core::cli::commands::run: `
	stamp := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	line := stamp + "  " + level + " " + span
	if !c.plain {
		line = "\x1b[2m" + stamp + "\x1b[0m \x1b[32m " + level + "\x1b[0m \x1b[1m" + span + "\x1b[0m\x1b[2m\x1b[0m"
	}
	_, _ = io.WriteString(c.out, line+fmt.Sprintf(format, args...)+"\n") // the reader is gone: so is the test
}

func (c *clnrm) info(format string, args ...any) { c.say("INFO", format, args...) }

// twice writes a line as clnrm writes many of its own.
func (c *clnrm) twice(format string, args ...any) {
	c.info(format, args...)
	c.info(format, args...)
}

// file is the test file of the folder, which holds one.
func (c *clnrm) file() string {
	found, _ := filepath.Glob(filepath.Join(c.dir, "*.toml")) // the pattern is right
	if len(found) != 1 {
		c.info("Test run failed: %d test files", len(found))
		os.Exit(1)
	}
	return found[0]
}

// watch polls: what the system's events would tell is not what these tests are about.
func (c *clnrm) watch() int {
	c.info("Watch mode enabled - monitoring test files for changes")
	c.info("Press Ctrl+C to stop watching")
	file := c.file()
	c.first, _ = os.ReadFile(file)
	c.run(file) // that one always goes well enough
	old, err := os.Stat(file)
	if err != nil {
		return 1
	}
	if c.trap != "unready" {
		c.info("Watching: %s", c.dir)
	}
	for {
		<-time.After(time.Millisecond)
		now, err := os.Stat(file)
		if err != nil || os.SameFile(old, now) || c.trap == "blind" {
			continue
		}
		old = now
		for n := c.reruns; n > 0 || c.trap == "restless"; n-- {
			if status := c.rerun(file); status >= 0 {
				return status
			}
		}
	}
}

// rerun is what one event leads to. A status of 0 or more ends the program.
func (c *clnrm) rerun(file string) int {
	c.info("File change detected: [%q]", file)
	c.info("Rerunning tests...")
	<-time.After(c.pause)
	return c.run(file)
}

var (
	name = regexp.MustCompile(`(?m)^name = "(.*)"$`)
	runs = regexp.MustCompile(`(?m)^run = "(.*)"$`)
)

// run runs the test file once.
func (c *clnrm) run(file string) int {
	text, err := os.ReadFile(file)
	if c.trap == "stale" {
		text = c.first
	}
	match := name.FindSubmatch(text)
	if err != nil || match == nil {
		c.say("ERROR", "Test failed: %s - no name", file)
		return -1
	}
	c.info("Running cleanroom tests (framework self-testing)")
	c.info("Found 1 test file(s) to execute")
	if c.trap == "cache" {
		c.info("✅ All scenarios unchanged (cache hit)")
		c.info("All tests passed!")
		return -1
	}
	c.info("🔨 Force mode enabled - bypassing cache")
	c.twice("🚀 Executing test: %s", match[1])
	if c.trap == "die" || c.trap == "quit" {
		return map[string]int{"die": c.complain("error: the engine went away"), "quit": 0}[c.trap]
	}
	if c.trap != "vague" {
		c.info("Successfully loaded cleanroom config with default_image: alpine:latest")
	}
	passed := c.scenarios(text)
	if c.trap == "mute" {
		return -1
	}
	c.results(file, passed || c.trap == "lie")
	return -1
}

func (c *clnrm) complain(text string) int {
	fmt.Fprintln(os.Stderr, text)
	return 1
}

// scenarios runs the scenarios up to the first that fails.
func (c *clnrm) scenarios(text []byte) bool {
	<-time.After(c.pull)
	for i, m := range runs.FindAllSubmatch(text, -1) {
		c.info("🚀 Executing scenario: %d", i)
		c.info("Starting container with image alpine:latest")
		if string(m[1]) == "false" {
			return false
		}
		c.info("✅ Scenario '%d' completed successfully", i)
	}
	return true
}

func (c *clnrm) results(file string, passed bool) {
	if !passed {
		c.say("ERROR", "Test failed: %s - ValidationError: Scenario command failed with exit code: 1", file)
		c.say("ERROR", "❌ %s - FAIL (12ms)", filepath.Base(file))
		c.say("ERROR", "   Error: ValidationError")
		c.info("Test Results: 0 passed, 1 failed")
		c.say("ERROR", "Test run failed: ValidationError: 1 test(s) failed")
		return
	}
	c.twice("🎉 Test completed successfully!")
	c.info("Test passed: %s", file)
	c.info("✅ %s - PASS (12ms)", filepath.Base(file))
	c.info("Test Results: 1 passed, 0 failed")
	c.info("All tests passed! Framework self-testing successful.")
	c.info("All tests passed!")
}
