// Package perf holds the words that every other package of the module speaks:
// units, metrics, samples, results, machines, verdicts and exit statuses.
//
// A [Result] is one run of a suite. It holds raw [Sample] values in base units
// (seconds, bytes) and in run order, what was judged about them and what could
// not be measured, and it is what the JSON files of the project contain. The
// package opens no file and starts no process, and it imports the standard
// library alone; measuring is done by perf/measure, deciding by perf/stats and
// storing by perf/baseline.
package perf

import "time"

// Better says which direction of a metric is the good one.
type Better string

// The directions of a metric.
const (
	Lower  Better = "lower"
	Higher Better = "higher"
)

// A Metric is what a number is: its name, its unit, and the direction that is
// better. It is the identity under which values of two runs are compared.
type Metric struct {
	Name   string `json:"name"`
	Unit   Unit   `json:"unit"`
	Better Better `json:"better"`
}

// Metrics that the workloads of a suite have in common. Their names are part of
// the promise that the JSON makes.
var (
	Wall            = Metric{"wall", Second, Lower}
	User            = Metric{"user", Second, Lower}
	System          = Metric{"system", Second, Lower}
	CPU             = Metric{"cpu", Second, Lower} // user + system
	Utilisation     = Metric{"cpu utilisation", Cores, Higher}
	PeakMemory      = Metric{"peak memory", Byte, Lower}
	PeakMemoryBound = Metric{"peak memory bound", Byte, Lower}
	PeakMemoryRSS   = Metric{"peak memory rss", Byte, Lower}
	Throughput      = Metric{"throughput", PerSecond, Higher}
	BytesRead       = Metric{"bytes read", Byte, Lower}
	BytesWritten    = Metric{"bytes written", Byte, Lower}
	PageFaults      = Metric{"page faults", Count, Lower}
	ContextSwitches = Metric{"context switches", Count, Lower}
	RunDelay        = Metric{"run delay", Second, Lower}

	// What the processor counts in user mode, where there is one that lets itself be asked.
	Cycles       = Metric{"cycles", Count, Lower}
	Instructions = Metric{"instructions", Count, Lower}
	CacheMisses  = Metric{"cache misses", Count, Lower}
	BranchMisses = Metric{"branch misses", Count, Lower}
)

// Metrics of a container's life. Wall, of a workload of containers, is the whole of it:
// from the call that creates the container until it is removed. A program runs before
// the call that starts it returns, so start and ready overlap: both count from that call.
var (
	ContainerStart   = Metric{"container start", Second, Lower} // from the call that creates it until it is ready
	ContainerCreate  = Metric{"create", Second, Lower}          // the call that creates it
	ContainerNetwork = Metric{"network", Second, Lower}         // from that call on, until the engine has joined it to its network
	ContainerRun     = Metric{"start", Second, Lower}           // the call that starts it
	ContainerReady   = Metric{"ready", Second, Lower}           // from the call that starts it until the program says that it is ready
	ContainerProgram = Metric{"program", Second, Lower}         // the program's own part of that: from its main function on
	ContainerExec    = Metric{"exec", Second, Lower}            // running one more command in it, once it is ready
	ContainerStop    = Metric{"stop", Second, Lower}            // from the call that stops it until the program is dead
	ContainerRemove  = Metric{"remove", Second, Lower}          // the call that removes it
	ContainerImage   = Metric{"image", Second, Lower}           // making its image known to the engine, once a run
)

// Metrics of the containers that a command makes while it runs, by the engine's events:
// one value for each container, but Containers, which is how many a run makes.
var (
	Containers    = Metric{"containers", Count, Lower}
	SubjectLife   = Metric{"container life", Second, Lower} // created to removed
	SubjectStart  = Metric{"container created to started", Second, Lower}
	SubjectRun    = Metric{"container started to ended", Second, Lower}
	SubjectRemove = Metric{"container ended to removed", Second, Lower}
)

// A Sample is the values that one metric took, in run order and in the base unit
// of the metric. Order matters: drift, warm-up and pairing live in it, so nothing
// in the module sorts a Sample in place or drops a value from it.
type Sample []float64

// A Tool names the program that made a result.
type Tool struct {
	Version string `json:"version"`
}

// A Subject is the code that was measured.
type Subject struct {
	Name   string `json:"name,omitempty"`
	Commit string `json:"commit"`
	// Dirty says that the work tree held changes which Commit does not.
	Dirty bool `json:"dirty"`
}

// WarningKind is a closed list of what a [Warning] can be about.
type WarningKind string

// The kinds of warning.
const (
	WarnContention  WarningKind = "contention"   // something else wanted the CPU
	WarnLeftBehind  WarningKind = "left behind"  // the command left processes that had to be ended
	WarnOutliers    WarningKind = "outliers"     // values far from the rest; they are kept
	WarnDrift       WarningKind = "drift"        // the level moved while measuring
	WarnNotMeasured WarningKind = "not measured" // this system cannot give a value
	WarnEnvironment WarningKind = "environment"  // governor, limits, toolchain, ...
	WarnStale       WarningKind = "stale"        // a baseline that is old
	WarnSubject     WarningKind = "subject"      // the subject behaved oddly, without failing
)

// A Warning is something that the reader of a number should know, with what to do
// about it in the same sentence.
type Warning struct {
	Kind WarningKind `json:"kind"`
	Text string      `json:"text"`
}

// A State says how far the measurement of a workload came.
type State string

// The states of a workload.
const (
	StateOK          State = "ok"
	StateFailed      State = "failed"
	StateNotMeasured State = "not measured"
)

// A Series is a metric with the values it took.
type Series struct {
	Metric
	// OrigUnit is the unit in which a file of another tool held the values, where that is
	// not Unit.
	OrigUnit string   `json:"origUnit,omitempty"`
	Samples  Sample   `json:"samples"`
	Summary  *Summary `json:"summary,omitempty"`
}

// A Summary is what a reader is shown of a series: its median and an interval for it.
// Low and High are null, and Confidence is 0, where there are too few values for one;
// elsewhere Confidence is what the interval really reaches. An interval that was read
// from a file of another tool, which does not say, has a Confidence of 0.
type Summary struct {
	N          int      `json:"n"`
	Center     float64  `json:"median"`
	Low        *float64 `json:"low"`
	High       *float64 `json:"high"`
	Min        float64  `json:"min"`
	Max        float64  `json:"max"`
	Confidence float64  `json:"confidence"`
}

// A WorkloadResult is what came out of one workload of a suite.
type WorkloadResult struct {
	Name    string   `json:"name"`
	Command []string `json:"command"`
	State   State    `json:"state"`
	// Reason says why State is not ok, in a sentence.
	Reason  string   `json:"reason"`
	Metrics []Series `json:"metrics"`
	// Cores is how many processors the command could use: fewer than the machine has
	// where it was pinned, or where this process is limited to some.
	Cores int `json:"cores,omitempty"`
	// Contention is the share of the wall time in which other work on the machine stood
	// in the way of the runs, as far as that is worth a warning; else 0.
	Contention float64 `json:"contention,omitempty"`
	// OneShot marks a workload too costly to repeat: its values have no interval.
	OneShot bool `json:"oneShot,omitempty"`
	// Stages are the parts of the wall time, in their order; each is a metric of that
	// name. Absent are those among them that the subject never goes through: they have
	// no value, and are not something that could not be measured.
	Stages []string `json:"stages,omitempty"`
	Absent []string `json:"absent,omitempty"`
	// Source is where the benchmark stands, if that is known.
	Source   Source    `json:"source,omitzero"`
	Warnings []Warning `json:"warnings"`
}

// A Source is a place in the source of the subject: a path below its root, with slashes,
// and a line from 1. What came with the call has the flag in place of a path, as "-set",
// and the line 0.
type Source struct {
	File string `json:"file"`
	Line int    `json:"line"`
}

// Series returns the series of the metric called name.
func (w *WorkloadResult) Series(name string) (Series, bool) {
	for _, s := range w.Metrics {
		if s.Name == name {
			return s, true
		}
	}
	return Series{}, false
}

// An ObjectiveState says how a workload stands against an [ObjectiveResult]'s
// limits.
type ObjectiveState string

// The states of an objective, in order of badness.
const (
	Met         ObjectiveState = "MET"
	OverTarget  ObjectiveState = "WARNING"
	Breached    ObjectiveState = "BREACHED"
	Undecided   ObjectiveState = "UNDECIDED"
	NotMeasured ObjectiveState = "NOT MEASURED"
)

// An ObjectiveResult is an objective with what was found. Estimate, Low and High
// are in the unit of the metric; Low and High are one-sided bounds, each of them
// at Confidence, on the Quantile of the metric. They are null in JSON where the
// sample is too small to bound it; Needed is then how many values it takes.
type ObjectiveResult struct {
	Name       string         `json:"name"`
	Workload   string         `json:"workload"`
	Metric     string         `json:"metric"`
	Unit       Unit           `json:"unit"`
	Quantile   float64        `json:"quantile"`
	Confidence float64        `json:"confidence"`
	N          int            `json:"n"`
	Target     float64        `json:"target"`
	Critical   float64        `json:"critical"`
	State      ObjectiveState `json:"state"`
	Estimate   *float64       `json:"estimate"`
	Low        *float64       `json:"low"`
	High       *float64       `json:"high"`
	Needed     int            `json:"needed"`
	Reason     string         `json:"reason"`
	// Source is where the limits come from, if that is known: the place of the objective's
	// definition, or the name of a flag, which has no line.
	Source Source `json:"source,omitzero"`
}

// A Verdict is the answer of a comparison.
type Verdict string

// The verdicts of a comparison.
const (
	Slower        Verdict = "SLOWER"
	Faster        Verdict = "FASTER"
	NoChange      Verdict = "NO CHANGE"
	VerdictUnsure Verdict = "UNDECIDED"
	Invalid       Verdict = "INVALID"
)

// The designs of a comparison: paired runs are interleaved in the same minutes,
// unpaired ones come from two sessions.
const (
	Paired   = "paired"
	Unpaired = "unpaired"
)

// An Arm is one side of a comparison. Center is the median of its samples, null
// where there are none.
type Arm struct {
	Ref     string   `json:"ref"`
	Samples Sample   `json:"samples"`
	Center  *float64 `json:"median"`
}

// A Void is a pair of runs that does not count, because one of them failed. Pair is its
// place in the order, from 0.
type Void struct {
	Pair   int    `json:"pair"`
	Reason string `json:"reason"`
}

// A Control is the negative control of a paired comparison: pairs in which the old side
// ran against itself. The two samples are of equal length; Evidence is that of the whole
// session against "no difference" in such pairs, since those of one comparison are too
// few to prove anything.
type Control struct {
	Old      Sample   `json:"old"`
	New      Sample   `json:"new"`
	Evidence *float64 `json:"evidence"`
}

// A Comparison is one metric of one workload, old against new. Ratio is new/old
// with its interval Low to High, null where there are too few values for one.
//
// Order has two letters for each pair that was begun, in the order in which its runs
// were made: A is old and B is new. Lower case is a control pair, in which a and b are
// both runs of the old side. Voids lists those of them that failed. The samples of both
// arms hold the pairs that counted, in the same order.
type Comparison struct {
	Workload  string   `json:"workload"`
	Metric    string   `json:"metric"`
	Unit      Unit     `json:"unit"`
	Better    Better   `json:"better"`
	Gate      bool     `json:"gate"`
	Design    string   `json:"design"`
	Old       Arm      `json:"old"`
	New       Arm      `json:"new"`
	Order     string   `json:"order"`
	Seed      uint64   `json:"seed"`
	Verdict   Verdict  `json:"verdict"`
	Alpha     float64  `json:"alpha"`
	MinEffect float64  `json:"minEffect"`
	Ratio     *float64 `json:"ratio"`
	Low       *float64 `json:"low"`
	High      *float64 `json:"high"`
	Evidence  *float64 `json:"evidence"`
	Pairs     int      `json:"pairs"`
	Reason    string   `json:"reason"`
	// GateReason says why this metric decides, fixed before the first pair.
	GateReason string `json:"gateReason,omitempty"`
	// Exact says that the metric takes the same value in every run of a side, so that
	// the two values are compared as they are.
	Exact bool `json:"exact,omitempty"`
	// Needed is about how many more pairs a verdict takes; 0 where there is one, or where
	// that cannot be told.
	Needed  int      `json:"needed,omitempty"`
	Voids   []Void   `json:"voids,omitempty"`
	Control *Control `json:"control,omitempty"`
	// CPUs are the processors that both sides were pinned to; empty means none.
	CPUs []int `json:"cpus,omitempty"`
	// Builds is how many times each side was built; 0 means that nothing was.
	Builds int `json:"builds,omitempty"`
	// Profile is where the difference lies, where that was asked for and found.
	Profile *ProfileDiff `json:"profile,omitempty"`
}

// A ProfileDiff is what two profiles say about a comparison. They were recorded after the
// verdict, so that no run which counts was one that was watched. Files lie beside the
// result, and are named as paths from its folder, with slashes.
type ProfileDiff struct {
	Kind string `json:"kind"` // cpu, off-cpu, heap
	Old  string `json:"old"`  // profiles, for go tool pprof
	New  string `json:"new"`
	Diff string `json:"diff"` // a flame graph of the difference
	// Runs is how many runs of each side count in the values that follow, which are those
	// of one run, in Unit.
	Runs      int     `json:"runs"`
	Unit      Unit    `json:"unit"`
	OldWeight float64 `json:"oldWeight"`
	NewWeight float64 `json:"newWeight"`
	// Movers are the functions whose own weight has changed most, the greatest change first.
	Movers []Mover `json:"movers"`
}

// A Mover is a function whose weight in a profile differs between two sides: Flat by what
// is its own, Cum with all that it calls.
type Mover struct {
	Name string  `json:"name"`
	Flat float64 `json:"flat"`
	Cum  float64 `json:"cum"`
}

// A Result is one run of a suite. Its JSON is a promise: keys may be added, and
// none is renamed or removed within a schema version.
type Result struct {
	Schema  string    `json:"schema"`
	ID      string    `json:"id"`
	Suite   string    `json:"suite"`
	Mode    string    `json:"mode"`
	Created time.Time `json:"created"`
	// Complete says that the run came to its end. One that was interrupted, or is
	// still going, is not complete.
	Complete bool `json:"complete"`
	// Only names the workloads that the run was restricted to; empty means all.
	Only        []string          `json:"only,omitempty"`
	Tool        Tool              `json:"tool"`
	Subject     Subject           `json:"subject"`
	Exit        int               `json:"exit"`
	Machine     Machine           `json:"machine"`
	Workloads   []WorkloadResult  `json:"workloads"`
	Objectives  []ObjectiveResult `json:"objectives"`
	Comparisons []Comparison      `json:"comparisons"`
	// Scaling is how throughput grew with parallelism, for each kind of thing that was
	// measured at several levels of it.
	Scaling  []Scaling `json:"scaling,omitempty"`
	Warnings []Warning `json:"warnings"`
}

// Workload returns the result of the workload called name, or nil.
func (r *Result) Workload(name string) *WorkloadResult {
	for i := range r.Workloads {
		if r.Workloads[i].Name == name {
			return &r.Workloads[i]
		}
	}
	return nil
}

// ModeImport is the mode of a result that was read from files of other tools and not
// measured here.
const ModeImport = "import"

// Imported reports whether the result was read from files of other tools.
func (r *Result) Imported() bool { return r.Mode == ModeImport }

// Whole reports whether the run covers its whole suite: complete, and restricted
// to no part of it. Only such a run can become a baseline.
func (r *Result) Whole() bool { return r.Complete && len(r.Only) == 0 }
