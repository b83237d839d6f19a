package measure

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// A Run is what one execution of a command used and how it ended.
type Run struct {
	Args  []string  // the command
	Start time.Time // when it was started, with a monotonic reading

	// Wall is the time from just before the start until this process has reaped it:
	// execve, loading and exit are in it, and on Linux some 15 µs between death and
	// reaping, in which the accounts below are read.
	Wall time.Duration
	// User and System are the CPU time of the process and of all descendants
	// that were waited for. Their sum is exact to a microsecond; on Linux the
	// split between them is sampled by the clock tick, so prefer CPU.
	User, System time.Duration

	// Faults and context switches, counted like User; valid if HasFaults.
	HasFaults                bool
	MinorFaults, MajorFaults int64
	Voluntary, Involuntary   int64 // context switches

	// Bytes through read- and write-like system calls, whether or not a disk
	// was involved, of the process and its waited-for descendants; valid if HasIO.
	HasIO                   bool
	ReadBytes, WrittenBytes int64

	// RunDelay is how long the main thread of the process (no other thread or
	// process) was ready to run but had no CPU; valid if HasRunDelay.
	HasRunDelay bool
	RunDelay    time.Duration
	// Pressure is the time during the run in which some task of the machine
	// waited for a CPU (PSI, "some"); valid if HasPressure.
	HasPressure bool
	Pressure    time.Duration
	// Steal is the CPU time that the hypervisor gave to others during the run,
	// summed over CPUs, in steps of 10 ms; valid if HasSteal.
	HasSteal bool
	Steal    time.Duration

	// Counters are what the processor counted of the command and all that it started, in
	// user mode, from its execve on, if Command.Count asks for it; empty where the hardware
	// has no counters (NoCounters).
	Counters []Counter

	ExitCode int           // exit status; -1 if a signal ended the process
	Signal   string        // name of that signal, such as "SIGKILL", or empty
	TimedOut bool          // the Timeout ended it
	Timeout  time.Duration // the Timeout that it ran under; 0: none

	Output      []byte // the last bytes of stdout and stderr, in order of arrival
	OutputBytes int64  // how many bytes it wrote to both

	// LeftBehind holds the command lines of processes that outlived the command
	// and were ended.
	LeftBehind []string

	traces bool // it was traced and tried to trace by itself, which cannot work
}

// A Counter is what an event of the processor occurred.
type Counter struct {
	Metric perf.Metric
	Value  float64
}

// CPU is the user and system time together.
func (r Run) CPU() time.Duration { return r.User + r.System }

// A Memory is the peak memory of a process tree, in bytes. A peak that could
// not be measured is 0 with its Has field unset, and Reason says why.
type Memory struct {
	// Peak is the highest sum of proportional set sizes seen at one time: pages
	// that n processes share count 1/n in each, so the sum is what the tree
	// really takes. It is a lower bound, as it is read at moments only.
	Peak    int64
	HasPeak bool
	// PeakRSS is the highest sum of resident set sizes seen at one time, in which
	// shared pages count once for every process.
	PeakRSS    int64
	HasPeakRSS bool
	// PeakBound is an upper bound that a short-lived process cannot escape: the
	// greatest sum, at any moment, of the high-water marks of the processes then
	// alive, what each held before an execve included.
	PeakBound    int64
	HasPeakBound bool

	Reason string // why something was not measured; empty: all was
	Run    Run    // the run in which it was measured; its times are not valid
}

// failureLines is how many of its last lines the sentence about a failed
// command quotes, and failureWidth where a long one is cut.
const (
	failureLines = 10
	failureWidth = 300
)

// A Failure is the error of a command that ran and failed.
type Failure struct {
	Args  []string
	Cause string   // "exit status 3", "killed by SIGSEGV", "timed out after 2s"
	Tail  []string // its last lines of output, at most 10
}

func (f *Failure) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", commandLine(f.Args), f.Cause)
	if len(f.Tail) == 0 {
		b.WriteString(", without output")
		return b.String()
	}
	b.WriteString("; its last lines:")
	for _, line := range f.Tail {
		b.WriteString("\n\t" + line)
	}
	return b.String()
}

// Err is nil if the command ended by itself with exit status 0, and otherwise a
// *Failure with the cause and the last lines of its output.
func (r Run) Err() error {
	cause := ""
	switch {
	case r.TimedOut:
		cause = fmt.Sprintf("timed out after %v", r.Timeout)
	case r.Signal != "":
		cause = "killed by " + r.Signal
	case r.ExitCode != 0:
		cause = fmt.Sprintf("exit status %d", r.ExitCode)
	default:
		return nil
	}
	if r.traces {
		cause += ", and it calls ptrace(2), which fails in a memory run, as that traces it"
	}
	return &Failure{Args: r.Args, Cause: cause, Tail: lastLines(r.Output, failureLines)}
}

// lastLines is the end of output as a person should see it: no control
// sequences and characters, of a progress line its last state, and no empty lines at the end.
func lastLines(output []byte, n int) []string {
	text := StripEscapes(strings.ToValidUTF8(string(output), "?"))
	text = strings.TrimRightFunc(text, unicode.IsSpace)
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	lines = lines[max(0, len(lines)-n):]
	for i, line := range lines {
		line = strings.TrimRight(line, "\r")
		line = line[strings.LastIndexByte(line, '\r')+1:]
		lines[i] = cut(strings.Map(printable, line), failureWidth)
	}
	return lines
}

func printable(r rune) rune {
	if r == '\t' || unicode.IsPrint(r) {
		return r
	}
	return -1
}

func cut(line string, width int) string {
	runes := []rune(line)
	if len(runes) <= width {
		return line
	}
	return string(runes[:width]) + "…"
}
