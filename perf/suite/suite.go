// Package suite says what to measure, as data: which commands, in which order,
// against which limits.
//
// A [Suite] is a graph of [Workload] values and a list of [Objective] values. The
// presets ([Cleanroom], [Clnrm], [Cargo], [GoModule]) are suites of known projects,
// and [AdHoc] makes one of a command line. A suite states every command that is run,
// so that it can be printed beforehand; [Suite.Select] and [Suite.Set] restrict it and
// move its limits, and [Suite.Plan] fits it into the time of a [Mode].
//
// The package runs nothing, reads no file and measures nothing: whoever wants a single
// number of a single process needs perf/measure alone. perf/experiment runs the steps
// of a plan, perf/stats judges what came out against the objectives, and perf/report
// prints both the plan and the result.
//
// Commands, directories and environments may contain [Work], which stands for a
// folder that belongs to one run and is removed with it. What a workload builds
// goes there; so a binary that lies there was built by this run.
package suite

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Work stands for the folder of the run in commands, directories, environments
// and file names of a workload.
const Work = "$WORK"

// A Command is a program with its arguments, where it runs and what is added to
// its environment. There is no shell in it.
type Command struct {
	Args []string
	Dir  string
	Env  []string // KEY=VALUE, added to the environment of the runner
}

// String is the command as a person would type it. [Work] stays as it is, so that the
// line runs in a shell that has set a variable of that name.
func (c Command) String() string {
	out := make([]string, len(c.Args))
	for i, a := range c.Args {
		out[i] = showWord(a)
	}
	return strings.Join(out, " ")
}

// A File is an input that a workload needs. Name starts with [Work].
type File struct {
	Name    string
	Content string
}

// A Count finds out from what a command prints how often something happened. Each
// line that Pattern matches counts once, or, where the pattern has a group, as the
// number that the group holds.
type Count struct {
	Pattern string // regular expression, matched against each line
}

// A Workload is one thing to measure.
type Workload struct {
	Name string
	// Command is what is measured. A workload of containers has none.
	Command Command
	// MakesContainers says that the command makes containers where there is an engine.
	// They are followed while it runs, and those that it leaves behind are removed.
	MakesContainers bool
	// Container, if there is one, is started and removed again in place of a command.
	Container *Container
	// Needs names the workloads that must have succeeded before this one.
	Needs []string
	// Files are written before anything else of the workload.
	Files []File
	// Setup runs once, untimed, before all runs; Prepare before each run; Conclude
	// after each; Cleanup once at the end, also after a failure.
	Setup, Prepare, Conclude, Cleanup []Command
	// Fresh are folders below [Work] that are emptied before each run, and CleanEnv
	// is the environment that makes the command use them. Both are left out where
	// the workload runs only because another one needs it: what makes a build clean
	// costs time that nobody asked to measure.
	Fresh    []string
	CleanEnv []string
	// Creates are files that must exist after a run that exits 0.
	Creates []string
	// Cause is a regular expression for the place in the output of a failed command
	// that says why it failed, such as a compiler's first error. Its first match, of
	// which the groups are taken if it has any, begins the reason that the reader
	// gets. Empty means what most programs write: a line that begins with "error:",
	// or else the last line.
	Cause string

	// Warmup is how many runs come before the first that counts.
	Warmup int
	// Min and Max bound the number of timed runs; 0 leaves the mode's.
	Min, Max int
	// Budget is how long the timed runs may take; 0 leaves the mode's. However
	// short, Min runs are made unless the workload is a one-shot.
	Budget time.Duration
	// OneShot marks what is too costly to repeat; Cost is what a run is expected to
	// take, and is named before it starts.
	OneShot bool
	Cost    time.Duration
	Timeout time.Duration
	// HookTimeout ends a command of Setup, Prepare, Conclude or Cleanup; 0 means an hour.
	HookTimeout time.Duration
	// Memory is how many runs of their own the memory measurement gets.
	Memory int
	// CPUs pins the command to these processors.
	CPUs []int

	// Items counts what a run works through, which makes a throughput; Unit names it
	// in the plural. Number is for a count that is known beforehand.
	Items *Items
	// Tests counts the tests of a run. A run in which none ran, or one failed, has
	// failed whatever its exit status.
	Tests *Tests

	// Criterion is the folder below [Work] in which the command leaves the files of
	// Criterion's benchmarks: every benchmark is a metric of the workload, each of its
	// samples a value. A run that leaves none has failed. Empty means that the command is
	// no such benchmark.
	Criterion string

	// Profiles names an environment variable: where that names a folder, the command
	// leaves profiles of its Go runtime in it. Empty means that it knows of none.
	Profiles string

	// Watch is set where the command does not end but watches a folder.
	Watch *Watch
}

// A Container says which container a workload creates, starts, waits for, stops and
// removes. It needs a container engine; without one the workload is not measured.
type Container struct {
	// Image is an image that the engine has; nothing is ever pulled. Empty means the
	// probe of perf/container, of which the run makes an image by itself.
	Image string
	// Network is what the container is connected to: "none", "bridge", "host".
	Network string
	// Ready is how long it may take to become ready, and Grace how long to end by
	// itself when it is stopped.
	Ready, Grace time.Duration
}

// String says in words what is done.
func (c Container) String() string {
	image := c.Image
	if image == "" {
		image = "the probe"
	}
	return fmt.Sprintf("create, start, ready, stop and remove a container of %s (network %s)", image, c.Network)
}

// Items says how many things a run works through.
type Items struct {
	Unit   string // "tests", "files"
	Number int    // 0: Count tells
	Count  Count
}

// Tests says how a run's passed and failed tests are counted.
type Tests struct {
	Passed, Failed Count
}

// An Objective is a limit for one quantile of one metric of one workload.
// Target and Critical are in the base unit of the metric.
type Objective struct {
	Name       string
	Workload   string
	Metric     perf.Metric
	Quantile   float64
	Confidence float64
	Target     float64
	Critical   float64
	// Source is where the limits come from, for reports that point at them; what is empty
	// perf/targets looks for in the Go files below the root.
	Source perf.Source
}

// A Suite is what is measured in one run.
type Suite struct {
	Name       string
	Subject    string // what is measured, for the head of a report
	Dir        string // the subject's folder
	Workloads  []Workload
	Objectives []Objective
	// DefaultImage is how the subject is told which image to make containers from.
	DefaultImage *DefaultImage

	adHoc bool // made by [AdHoc], which alone may use its name
}

// A DefaultImage is the environment variable that names the image of which a subject
// makes containers where its input names none, and the image that it takes without it.
// Containers made from an image by a name that one run alone uses are known to be the
// run's; a subject that cannot be told to label them can be told that.
type DefaultImage struct{ Variable, Image string }

// Workload returns the workload called name.
func (s Suite) Workload(name string) (Workload, bool) {
	i := slices.IndexFunc(s.Workloads, func(w Workload) bool { return w.Name == name })
	if i < 0 {
		return Workload{}, false
	}
	return s.Workloads[i], true
}

// ObjectivesOf returns the objectives on the workload called name.
func (s Suite) ObjectivesOf(name string) []Objective {
	var out []Objective
	for _, o := range s.Objectives {
		if o.Workload == name {
			out = append(out, o)
		}
	}
	return out
}

// CheckValid reports what makes the suite impossible to run, before anything is run:
// a name that cannot be that of a folder, an unknown or later workload under Needs, a
// name that stands twice, a folder to be emptied that is not below [Work], an
// objective on a workload that is not there, limits in the wrong order.
func (s Suite) CheckValid() error {
	if s.Name != fileName(s.Name) && !s.adHoc {
		return fmt.Errorf("suite %q: its results are kept in a folder of its name, so call it %q", s.Name, fileName(s.Name))
	}
	seen := map[string]bool{}
	for _, w := range s.Workloads {
		if seen[w.Name] {
			return fmt.Errorf("suite %s: the workload %q stands there twice", s.Name, w.Name)
		}
		if err := w.check(); err != nil {
			return fmt.Errorf("suite %s: workload %q: %w", s.Name, w.Name, err)
		}
		for _, n := range w.Needs {
			if !seen[n] {
				return fmt.Errorf("suite %s: workload %q needs %q, which does not come before it", s.Name, w.Name, n)
			}
		}
		if err := w.checkPatterns(); err != nil {
			return fmt.Errorf("suite %s: workload %q: %w", s.Name, w.Name, err)
		}
		seen[w.Name] = true
	}
	names := map[string]bool{}
	for _, o := range s.Objectives {
		if !seen[o.Workload] {
			return fmt.Errorf("suite %s: objective %q is on the workload %q, which is not there", s.Name, o.Name, o.Workload)
		}
		if names[o.Name] {
			return fmt.Errorf("suite %s: the objective %q stands there twice", s.Name, o.Name)
		}
		names[o.Name] = true
		if w, _ := s.Workload(o.Workload); !w.judgeable(o.Metric.Name) {
			return fmt.Errorf("suite %s: objective %q is on %s, which no reload of %q has", s.Name, o.Name, o.Metric.Name, w.Name)
		}
		if err := o.check(); err != nil {
			return fmt.Errorf("suite %s: objective %q: %w", s.Name, o.Name, err)
		}
	}
	return nil
}

// checkPatterns compiles what is looked for in the output.
func (w Workload) checkPatterns() error {
	patterns := []string{w.Cause}
	if w.Tests != nil {
		patterns = append(patterns, w.Tests.Passed.Pattern, w.Tests.Failed.Pattern)
	}
	if w.Items != nil {
		patterns = append(patterns, w.Items.Count.Pattern)
	}
	for _, p := range patterns {
		if _, err := regexp.Compile(p); err != nil {
			return err
		}
	}
	return nil
}

// Names returns the names of the workloads.
func (s Suite) Names() []string {
	out := make([]string, len(s.Workloads))
	for i, w := range s.Workloads {
		out[i] = w.Name
	}
	return out
}

// toolchains are the build tools whose version a result should name, by the program
// that a suite calls. No other command is ever asked for its version: who knows what
// it would do.
var toolchains = map[string][]string{"go": {"go"}, "cargo": {"cargo", "rustc"}}

// Toolchain returns the build tools that the suite calls.
func (s Suite) Toolchain() []string {
	var out []string
	for _, w := range s.Workloads {
		if len(w.Command.Args) == 0 {
			continue // CheckValid says so
		}
		for _, tool := range toolchains[w.Command.Args[0]] {
			if !slices.Contains(out, tool) {
				out = append(out, tool)
			}
		}
	}
	return out
}

// Expand replaces [Work] by the folder work in the command.
func (c Command) Expand(work string) Command {
	return Command{expandAll(c.Args, work), expand(c.Dir, work), expandAll(c.Env, work)}
}

func expandAll(list []string, work string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = expand(s, work)
	}
	return out
}

// expand replaces [Work] in s. A longer name that begins like it, such as $WORKSPACE
// in a line for a shell, is somebody else's.
func expand(s, work string) string {
	var b strings.Builder
	for {
		at := indexWork(s)
		if at < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:at])
		b.WriteString(work)
		s = s[at+len(Work):]
	}
}

// Expand replaces [Work] by the folder work everywhere in the workload.
func (w Workload) Expand(work string) Workload {
	w.Command = w.Command.Expand(work)
	for _, list := range []*[]Command{&w.Setup, &w.Prepare, &w.Conclude, &w.Cleanup} {
		out := make([]Command, len(*list))
		for i, c := range *list {
			out[i] = c.Expand(work)
		}
		*list = out
	}
	w.Criterion = expand(w.Criterion, work)
	w.Fresh, w.CleanEnv, w.Creates = expandAll(w.Fresh, work), expandAll(w.CleanEnv, work), expandAll(w.Creates, work)
	files := make([]File, len(w.Files))
	for i, f := range w.Files {
		files[i] = File{expand(f.Name, work), expand(f.Content, work)}
	}
	w.Files = files
	if w.Watch != nil {
		w.Watch = w.Watch.expand(work)
	}
	return w
}
