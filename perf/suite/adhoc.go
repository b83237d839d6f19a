package suite

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// AdHoc describes a measurement of one command that no preset knows. Commands are
// lines as a person types them.
type AdHoc struct {
	Command                           string
	Setup, Prepare, Conclude, Cleanup string
	// Shell is the program and flags that take a command line, as {"sh", "-c"}; empty
	// means that lines are split into words and run without one.
	Shell []string
	// Scan is NAME=FROM..TO[..STEP] or NAME=A,B,C: the command is measured once for
	// each value, which takes the place of {NAME} in every line before the line is
	// split into words.
	Scan string

	Runs   int // exact number; 0: as many as it takes
	Warmup int
	Memory int
	Budget time.Duration // 0: the usual one, with the usual fewest runs
	CPUs   []int
	// Timeout ends a run, and each command around one; 0 means an hour.
	Timeout time.Duration
}

// Defaults of an ad hoc measurement. Fewer than ten runs are not made unless the
// user says how many, or how long.
const (
	adHocBudget = 5 * time.Second
	adHocMin    = 10
	adHocMax    = 1000
	shellRuns   = 30
)

// adHocName is the name of every ad hoc suite. Its runs are never taken for those of
// a preset, so that no preset may have the name.
const adHocName = "time"

// ShellItself is the name of the workload by which [AdHoc] measures what the shell
// costs: it runs no command, and is no rival of those that do.
const ShellItself = "(the shell itself)"

// AdHocMode is the mode under which ad hoc measurements are planned.
var AdHocMode = Mode{Name: "ad hoc", Budget: time.Hour, Share: time.Hour, Narrow: 0.02, Min: adHocMin, Max: adHocMax}

// Suite turns the description into a suite named "time".
func (a AdHoc) Suite() (Suite, error) {
	name, values, err := parseScan(a.Scan)
	if err != nil {
		return Suite{}, err
	}
	if err := a.check(name); err != nil {
		return Suite{}, err
	}
	s := Suite{Name: adHocName, Subject: a.Command, adHoc: true}
	for _, v := range values {
		w, err := a.workload(name, v)
		if err != nil {
			return Suite{}, err
		}
		if slices.Contains(s.Names(), w.Name) {
			return Suite{}, perf.Usagef("-scan=%s: the value %s stands there twice", a.Scan, v)
		}
		s.Workloads = append(s.Workloads, w)
	}
	if len(a.Shell) > 0 {
		s.Workloads = append(s.Workloads, a.shellItself())
	}
	return s, nil
}

// check refuses what makes no sense; name is that of the scan, empty without one.
func (a AdHoc) check(name string) error {
	if strings.TrimSpace(a.Command) == "" {
		return perf.Usagef("the command is empty: give it as one argument, as in time \"ls -l\"")
	}
	if a.Runs < 0 || a.Warmup < 0 || a.Memory < 0 {
		return perf.Usagef("numbers of runs cannot be negative (-runs=%d -warmup=%d -memory=%d)", a.Runs, a.Warmup, a.Memory)
	}
	if a.Budget < 0 || a.Timeout < 0 {
		return perf.Usagef("times cannot be negative (-budget=%s -timeout=%s)", a.Budget, a.Timeout)
	}
	varies := func(line string) bool { return strings.Contains(line, "{"+name+"}") }
	if name != "" && !slices.ContainsFunc([]string{a.Command, a.Prepare, a.Setup}, varies) {
		return perf.Usagef("-scan=%s: {%s} occurs neither in the command nor in what runs before it, so all would be the same", a.Scan, name)
	}
	return nil
}

// workload is the measurement for one value of the scan called name.
func (a AdHoc) workload(name, value string) (w Workload, err error) {
	fill := func(line string) string {
		if a.Scan == "" {
			return line
		}
		return strings.ReplaceAll(line, "{"+name+"}", value)
	}
	w = Workload{
		Name: a.title(fill(a.Command), name, value), Warmup: a.Warmup, Memory: a.Memory, CPUs: a.CPUs, Timeout: a.Timeout, HookTimeout: a.Timeout,
		Min: adHocMin, Max: adHocMax, Budget: adHocBudget,
	}
	if w.Timeout == 0 {
		w.Timeout = time.Hour
	}
	if a.Budget > 0 {
		w.Min, w.Budget = 0, a.Budget
	}
	if a.Runs > 0 {
		w.Min, w.Max = a.Runs, a.Runs
	}
	if w.Command, err = a.command(fill(a.Command)); err != nil {
		return w, err
	}
	for _, hook := range []struct {
		line string
		list *[]Command
	}{{a.Setup, &w.Setup}, {a.Prepare, &w.Prepare}, {a.Conclude, &w.Conclude}, {a.Cleanup, &w.Cleanup}} {
		if hook.line == "" {
			continue
		}
		c, err := a.command(fill(hook.line))
		if err != nil {
			return w, err
		}
		*hook.list = []Command{c}
	}
	return w, nil
}

// title is the name of a workload: the command, and the value of the scan where the
// command itself does not show it.
func (a AdHoc) title(command, name, value string) string {
	if a.Scan == "" || command != a.Command {
		return command
	}
	return fmt.Sprintf("%s (%s=%s)", command, name, value)
}

// command splits a line, or hands it to the shell.
func (a AdHoc) command(line string) (Command, error) {
	if len(a.Shell) > 0 {
		return Command{Args: append(slices.Clone(a.Shell), line)}, nil
	}
	words, err := SplitWords(line)
	if err != nil {
		return Command{}, perf.Usagef("%w", err)
	}
	return Command{Args: words}, nil
}

// shellItself measures the shell with an empty command, so that the reader sees what
// of each run is the shell's. Its budget ends nothing, as its runs are counted; it
// keeps the time that is left from being reckoned by the mode's.
func (a AdHoc) shellItself() Workload {
	return Workload{
		Name: ShellItself, Command: Command{Args: append(slices.Clone(a.Shell), "")},
		Warmup: 3, Min: shellRuns, Max: shellRuns, Budget: time.Second, CPUs: a.CPUs, Timeout: time.Minute,
	}
}

// parseScan reads NAME=FROM..TO[..STEP] or NAME=A,B,C. No scan is one empty value.
func parseScan(scan string) (name string, values []string, err error) {
	if scan == "" {
		return "", []string{""}, nil
	}
	name, list, ok := strings.Cut(scan, "=")
	name = strings.TrimSpace(name)
	if !ok || name == "" || list == "" {
		return "", nil, perf.Usagef("-scan=%s is not of the form n=1..8, n=1..64..8 or n=a,b,c", scan)
	}
	if strings.Contains(list, "..") && !strings.Contains(list, ",") {
		if values, err = numberRange(strings.Split(list, "..")); err != nil {
			return "", nil, perf.Usagef("-scan=%s: %w", scan, err)
		}
		return name, values, nil
	}
	values = strings.Split(list, ",")
	for _, v := range values {
		// A path such as ../a is a value; 1..8 among others would be measured as it stands.
		if from, to, ok := strings.Cut(v, ".."); ok && isNumber(from) && isNumber(strings.Split(to, "..")[0]) {
			return "", nil, perf.Usagef("-scan=%s: a range such as %s cannot be an item of a list", scan, v)
		}
	}
	return name, values, nil
}

func isNumber(s string) bool {
	v, err := strconv.ParseFloat(s, 64)
	return err == nil && !math.IsInf(v, 0) && !math.IsNaN(v)
}

// maxScan bounds how many commands a scan makes of one.
const maxScan = 1000

// numberRange lists the numbers from the first to the second part by the third,
// which is 1 where it is missing.
func numberRange(parts []string) ([]string, error) {
	if len(parts) > 3 {
		return nil, errors.New("a range is FROM..TO or FROM..TO..STEP")
	}
	n := []float64{0, 0, 1}
	for i, p := range parts {
		if !isNumber(p) {
			return nil, fmt.Errorf("%q is not a number", p)
		}
		n[i], _ = strconv.ParseFloat(p, 64)
	}
	from, to, step := n[0], n[1], n[2]
	// A step such as 0.1 has no exact form, so that the last value needs some room.
	count := (to-from)/step + 1e-9
	if !(step > 0) || !(count >= 0) || count >= maxScan {
		return nil, fmt.Errorf("the range must rise by a positive step, to at most %d values", maxScan)
	}
	var out []string
	for i := range int(count) + 1 {
		out = append(out, decimal(from+float64(i)*step))
	}
	return out, nil
}

// decimal writes v as a person would: to 15 digits, which hides that 3 * 0.1 is
// 0.30000000000000004, and never with an exponent, which few programs read.
func decimal(v float64) string {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 15, 64), 64)
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}
