// Command cleanroom is a small test runner that exists to be measured. It
// reads test files in TOML, the form of clnrm's .clnrm.toml, runs each step in
// a fresh container, matches the output against a regular expression and prints
// the marker lines of `clnrm run --watch`, so that one driver measures both.
// Every path does the work it reports: template, TOML, containers, processes,
// regular expressions; nothing sleeps.
//
// Where no container engine answers, a step is a process in an empty directory
// with a clean environment; the first line of a run says which it is, and why.
//
// The binary brings its own commands (applets), so that a test needs nothing of
// the host and gives the same output on every system. It is static, and what
// only some commands need is made when they run: to start it for --help is
// itself a workload. Being static, it is all that the default image consists of:
// no registry is needed, and none is ever asked.
//
// # Test files
//
// A file is a Go text/template first (see render) and TOML then:
//
//	[meta]                                # or [test.metadata] with a name
//	name = "hello"
//	version = "1.0.0"
//
//	[service.db]                          # up while the file's steps run
//	plugin = "generic_container"          # the default; or surrealdb
//	image = "postgres:17"                 # one that the engine has
//
//	[[steps]]
//	name = "echo"
//	command = ["echo", "hello"]           # joined with blanks, run by sh -c
//	image = "alpine:latest"               # one that the engine has; not in clnrm
//	expected_output_regex = "^hello\n$"
//
//	[[scenario]]
//	name = "ask"
//	service = "db"
//	run = "echo hi"                       # or [[scenario.steps]]
//
// Steps run in order, the first failure ends the file; scenarios come last.
// Without an image a step or service runs in the default one, this program, or
// what CLEANROOM_CONTAINERS_DEFAULT_IMAGE names. An image that the engine has is
// used as it is; one that it has not fails the step that asks for it, and so does
// any where steps are processes. Containers have no network.
//
// # Marker lines
//
// A run prints these, in this order, the first of them once; with --watch the
// others again after each change, with the second and third in front. Times are of
// this program's own clock.
//
//	Steps run in containers of I:T (ENGINE)    or Steps run as processes: REASON
//	File change detected: ["a.clnrm.toml"]     the change has been seen
//	Rerunning tests...
//	Rendered a.clnrm.toml (0ms)                for each file
//	Found 1 test file(s) to execute
//	Successfully loaded cleanroom config ...   the file has been parsed
//	Starting container with image I:T          of a process: Starting process in ...
//	Container started successfully, executing command
//	Command completed in 250ms                 and the rest of each step
//	Test passed: a.clnrm.toml                  or Test failed: PATH - ERROR
//	✅ a.clnrm.toml - PASS (2ms)               or ❌ FILE - FAIL (Nms)
//	Test Results: 1 passed, 0 failed
//	All tests passed!                          or Test run failed: ERROR
//
// A watch is ready to see changes when it prints "Watching: PATH".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

const usage = `cleanroom runs test files in clean directories.

Usage:
  cleanroom run [--watch] [--force] [-steps WHERE] [-var NAME=VALUE] [PATH...]
  cleanroom self-test [-steps WHERE]
  cleanroom validate [-var NAME=VALUE] PATH...
  cleanroom render [-var NAME=VALUE] FILE
  cleanroom applet NAME [ARG...]
  cleanroom --help

run        runs the test files of PATH (a file, or a directory with all of its
           *.toml); without PATH every *.clnrm.toml below the current directory.
           --watch runs again after each change, --force ignores the cache
           (CLEANROOM_CACHE names its directory).
           -steps says where steps run: containers, processes, or auto, which is
           containers where an engine answers (CLEANROOM_STEPS sets the default,
           DOCKER_HOST the engine).
self-test  runs the test files that the binary carries.
validate   parses and checks files, and names each that is invalid.
render     prints a test file after its template has been carried out.
applet     runs one of the commands that test files can use.

Exit status: 0 all well, 1 a test failed or a file is invalid, 2 wrong usage.
`

// The exit statuses of every command; applets have their own.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// errUsage marks an error that shows the usage and ends with exit status 2.
var errUsage = errors.New("usage")

// streams is where a command writes: results to out, complaints to err.
type streams struct {
	out, err io.Writer
}

func main() {
	os.Exit(start(os.Args, streams{os.Stdout, os.Stderr}))
}

// start chooses what the program is by its own name, as a multi-call binary
// does, and else by its first argument. It returns the exit status.
func start(argv []string, std streams) int {
	if name := strings.TrimSuffix(filepath.Base(argv[0]), ".exe"); findApplet(name) != nil {
		return runApplet(append([]string{name}, argv[1:]...))
	}
	if len(argv) < 2 {
		return refuse(std, fmt.Errorf("%w: a command is missing", errUsage))
	}
	verb, args := argv[1], argv[2:]
	switch verb {
	case "-h", "-help", "--help", "help":
		return help(std)
	case "applet":
		if len(args) == 0 || findApplet(args[0]) == nil {
			return refuse(std, fmt.Errorf("%w: applet takes one of: %s", errUsage, appletNames))
		}
		return runApplet(args)
	case verbStep:
		return stepMain(args)
	case verbService:
		return serviceMain(args)
	case verbContainerService:
		return containerServiceMain()
	}
	return runCommand(verb, args, std)
}

// runCommand carries out one of the public commands. SIGINT, SIGTERM and the end of
// the terminal cancel its context, so that running steps are ended and what they left
// removed.
func runCommand(verb string, args []string, std streams) int {
	// A map that is made here costs nothing at the start of a step.
	commands := map[string]func(context.Context, []string, streams) error{
		"run": cmdRun, "self-test": cmdSelfTest, "validate": cmdValidate, "render": cmdRender,
	}
	command := commands[verb]
	if command == nil {
		return refuse(std, fmt.Errorf("%w: unknown command %q", errUsage, verb))
	}
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	err := profiled(func() error { return command(ctx, args, std) })
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, flag.ErrHelp):
		return help(std)
	}
	return refuse(std, err)
}

// help prints the usage as the result that was asked for: if it cannot be
// written, that is a failure, where a full disk would else look like success.
func help(std streams) int {
	if _, err := io.WriteString(std.out, usage); err != nil {
		return refuse(std, fmt.Errorf("print the usage: %w", err))
	}
	return exitOK
}

// errReported is returned by a command whose output has said already what is
// wrong, so that the exit status is all that is left to give.
var errReported = errors.New("failed")

// refuse says why a command ended and returns its exit status. That complaints
// cannot be written is not reported: there is nowhere left to do so.
func refuse(std streams, err error) int {
	switch {
	case errors.Is(err, errReported):
		return exitFailed
	case errors.Is(err, errUsage):
		_, _ = fmt.Fprintf(std.err, "cleanroom: %v\n\n%s", err, usage)
		return exitUsage
	}
	_, _ = fmt.Fprintf(std.err, "cleanroom: %v\n", err)
	return exitFailed
}

// options are the flags of the public commands; each takes a part of them.
type options struct {
	watch, force bool
	steps        string // where steps run, see newExecutor
	vars         variables
}

// variables collects -var NAME=VALUE.
type variables map[string]string

func (v variables) String() string { return "" }

func (v variables) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return fmt.Errorf("%q is not NAME=VALUE", s)
	}
	v[name] = value
	return nil
}

// parseArgs reads the named flags and the operands, which may be mixed: the
// flag package stops at the first operand, and `run DIR --watch` should work.
func parseArgs(args []string, names ...string) (options, []string, error) {
	opt := options{vars: variables{}}
	fs := flag.NewFlagSet("cleanroom", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // its own message and usage; refuse has ours
	for _, name := range names {
		switch name {
		case "watch":
			fs.BoolVar(&opt.watch, "watch", false, "")
		case "force":
			fs.BoolVar(&opt.force, "force", false, "")
		case "steps":
			fs.StringVar(&opt.steps, "steps", "", "")
		case "var":
			fs.Var(opt.vars, "var", "")
		}
	}
	var operands []string
	for {
		if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
			return opt, nil, err
		} else if err != nil {
			return opt, nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		if args = fs.Args(); len(args) == 0 {
			return opt, operands, nil
		}
		operands, args = append(operands, args[0]), args[1:]
	}
}

// cmdRender prints FILE as its template renders it.
func cmdRender(_ context.Context, args []string, std streams) error {
	opt, files, err := parseArgs(args, "var")
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return fmt.Errorf("%w: render takes one FILE, not %d", errUsage, len(files))
	}
	source, err := readSource(files[0])
	if err != nil {
		return err
	}
	text, err := render(files[0], source, opt.vars)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(std.out, text); err != nil {
		return fmt.Errorf("print %s as rendered: %w", files[0], err)
	}
	return nil
}
