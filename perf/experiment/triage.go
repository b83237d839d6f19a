package experiment

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
)

// TriageSchema is the value of the key "schema" of a triage.
const TriageSchema = "clnrm-perf/triage/v1"

// A Triage answers, by measurement, what somebody who asks for help with performance is
// asked: which workload, at what scale, in what environment, with what symptoms. From that
// follow the likely bottleneck and which strategies fit, each with its evidence: [Triage.Diagnose].
//
// Its JSON is a promise, as that of a [perf.Result] is. Times are in seconds, memory in bytes.
type Triage struct {
	Schema   string       `json:"schema"`
	ID       string       `json:"id"`
	Created  time.Time    `json:"created"`
	Tool     perf.Tool    `json:"tool"`
	Subject  perf.Subject `json:"subject"`
	Workload TriageLoad   `json:"workload"`
	// Usage is what a run takes: the median of each metric.
	Usage TriageUsage `json:"usage"`
	// Scale holds the cost of a run at rising size, and of many at once.
	Scale       TriageScale       `json:"scale"`
	Environment TriageEnvironment `json:"environment"`
	Profiles    []TriageProfile   `json:"profiles"`
	Symptoms    []Symptom         `json:"symptoms"`
	// Classes divide the time of a run by the bottleneck's class, the greatest first.
	Classes    []TriageClass `json:"classes"`
	Bottleneck string        `json:"bottleneck"` // the greatest group of classes; empty: not known
	Strategies []Strategy    `json:"strategies"`
	// Unknown says what was not measured, each with the reason.
	Unknown []string `json:"unknown"`
}

// A TriageLoad is what was looked at, and why that.
type TriageLoad struct {
	Name    string   `json:"name"`
	Command []string `json:"command"`
	Why     string   `json:"why"`
	Items   int      `json:"items,omitempty"` // how many things a run works through; 0: not known
	Unit    string   `json:"unit,omitempty"`  // of these, in the plural
}

// TriageUsage is what a run takes, as medians. Delay is time in which it could have run and
// others had the CPU; Waiting is what is left of the wall time: it waited for something.
type TriageUsage struct {
	Runs       int     `json:"runs"`
	Wall       float64 `json:"wall"`
	User       float64 `json:"user"`
	System     float64 `json:"system"`
	Delay      float64 `json:"delay"`
	Waiting    float64 `json:"waiting"`
	Faults     float64 `json:"pageFaults"`
	Read       float64 `json:"bytesRead"`
	Written    float64 `json:"bytesWritten"`
	Switches   float64 `json:"contextSwitches"`
	PeakMemory float64 `json:"peakMemory"` // 0: not measured
	Cores      int     `json:"cores"`      // that it may use
	// Repeats is the wall time of the later half of the runs over that of the earlier half:
	// below 1 a run profits from those before it. 0: there are too few.
	Repeats float64 `json:"repeats"`
	// Phases are those of a container's life, where the workload is one.
	Phases map[string]float64 `json:"phases,omitempty"`
}

// CPU is user and system time together.
func (u TriageUsage) CPU() float64 { return u.User + u.System }

// used is the time that the workload has to answer for: what others took is not in it.
func (u TriageUsage) used() float64 { return u.CPU() + u.Waiting }

// TriageEnvironment is where it was measured.
type TriageEnvironment struct {
	Machine perf.Machine `json:"machine"`
	// Build is how the program was built: "release", "debug", or "not known", with the
	// evidence in BuildWhy.
	Build    string `json:"build"`
	BuildWhy string `json:"buildWhy"`
	// Limits are conditions of the machine that limit or disturb a run.
	Limits []TriageLimit `json:"limits"`
	// Contention is the share of the wall time in which other work had the CPU.
	Contention float64 `json:"contention"`
}

// A TriageLimit is a condition of the machine: Effect is what it does to results, if anything.
type TriageLimit struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Effect string `json:"effect,omitempty"`
}

// A TriageProfile is one profile that was recorded, with its classes.
type TriageProfile struct {
	Kind    string  `json:"kind"`   // cpu, off-cpu
	Folder  string  `json:"folder"` // where it lies, with slashes
	Samples int64   `json:"samples"`
	Idle    float64 `json:"idle"` // share of threads that had nothing to do; in no class
	Init    float64 `json:"init"` // share of stacks in initialisation, before the program's own work
	// Run is what the classes divide, in seconds of one run. Preempted, of a profile of waits,
	// is the time of one run in which threads could have run, and other work had the CPU.
	Run       float64       `json:"run"`
	Preempted float64       `json:"preempted,omitempty"`
	Classes   []TriageClass `json:"classes"`
}

// A TriageClass is a class of bottleneck with its share, from 0 to 1, and the functions that
// have most of it. Kernel is the part of the share for which only the kernel's functions speak.
type TriageClass struct {
	Group   string   `json:"group"`
	Name    string   `json:"name,omitempty"`
	Share   float64  `json:"share"`
	Kernel  float64  `json:"kernel,omitempty"`
	Leaders []string `json:"leaders"`
}

func (c TriageClass) String() string {
	if c.Name == "" {
		return c.Group
	}
	return c.Group + ": " + c.Name
}

// A Symptom is what the measurement shows, with the share of time that it is about.
type Symptom struct {
	Name     string  `json:"name"`
	Share    float64 `json:"share"`
	Evidence string  `json:"evidence"`
}

// A Strategy is one way to make it faster. Fit is yes, no or unknown, and Evidence the
// measurements that say so; a strategy without any is unknown.
type Strategy struct {
	Name     string   `json:"name"`
	Fit      Fit      `json:"fit"`
	Evidence []string `json:"evidence"`
}

// A Fit says whether a strategy helps with what was measured.
type Fit string

// The fits.
const (
	FitYes     Fit = "fits"
	FitNo      Fit = "does not fit"
	FitUnknown Fit = "not known"
)

// Encode returns the triage as indented JSON with a newline at its end. No list is null.
func (t *Triage) Encode() ([]byte, error) {
	c := *t
	c.Schema = TriageSchema
	c.Profiles, c.Symptoms, c.Classes, c.Strategies, c.Unknown = list(c.Profiles), list(c.Symptoms), withLeaders(c.Classes), list(c.Strategies), list(c.Unknown)
	c.Profiles = slices.Clone(c.Profiles)
	for i := range c.Profiles {
		c.Profiles[i].Classes = withLeaders(c.Profiles[i].Classes)
	}
	c.Strategies = slices.Clone(c.Strategies)
	for i := range c.Strategies {
		c.Strategies[i].Evidence = list(c.Strategies[i].Evidence)
	}
	c.Scale.Parallel, c.Scale.Sizes = withWalls(c.Scale.Parallel), withWalls(c.Scale.Sizes)
	c.Scale.Containers = listsOf(c.Scale.Containers)
	c.Environment.Limits, c.Workload.Command = list(c.Environment.Limits), list(c.Workload.Command)
	if c.Environment.Machine.Toolchain == nil {
		c.Environment.Machine.Toolchain = map[string]string{}
	}
	data, err := json.MarshalIndent(&c, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding triage %s: %w", t.ID, err)
	}
	return append(data, '\n'), nil
}

// listsOf is a scaling of which no list is null.
func listsOf(s *perf.Scaling) *perf.Scaling {
	if s == nil {
		return nil
	}
	c := *s
	c.Levels, c.Advice, c.Where = list(c.Levels), list(c.Advice), list(slices.Clone(c.Where))
	for i := range c.Where {
		c.Where[i].Parts, c.Where[i].Programs = list(c.Where[i].Parts), list(c.Where[i].Programs)
	}
	return &c
}

// withLeaders is the classes with a list of leaders each, which may be empty.
func withLeaders(classes []TriageClass) []TriageClass {
	out := append([]TriageClass{}, classes...)
	for i := range out {
		out[i].Leaders = list(out[i].Leaders)
	}
	return out
}

func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// UsageOf is what the observed runs took, as medians.
func UsageOf(runs []Observation, cores int) TriageUsage {
	series := map[string]perf.Sample{}
	for _, o := range runs {
		for _, v := range o.Values {
			series[v.Metric.Name] = append(series[v.Metric.Name], v.Value)
		}
	}
	of := func(m perf.Metric) float64 {
		if s := series[m.Name]; len(s) > 0 {
			return stats.Median(s)
		}
		return 0
	}
	u := TriageUsage{Runs: len(runs), Cores: cores,
		Wall: of(perf.Wall), User: of(perf.User), System: of(perf.System), Delay: of(perf.RunDelay), Faults: of(perf.PageFaults),
		Read: of(perf.BytesRead), Written: of(perf.BytesWritten), Switches: of(perf.ContextSwitches)}
	u.Waiting = max(0, u.Wall-u.CPU()-u.Delay)
	if wall := series[perf.Wall.Name]; len(wall) >= 4 {
		half := len(wall) / 2
		u.Repeats = stats.Median(wall[len(wall)-half:]) / stats.Median(wall[:half])
	}
	for _, m := range []perf.Metric{perf.ContainerImage, perf.ContainerCreate, perf.ContainerRun, perf.ContainerReady, perf.ContainerProgram, perf.ContainerStop, perf.ContainerRemove} {
		if v := of(m); v > 0 {
			if u.Phases == nil {
				u.Phases = map[string]float64{}
			}
			u.Phases[m.Name] = v
		}
	}
	return u
}
