package perf

import "fmt"

// A ScalingWhere says where the time of the lives of one level went: each phase divided
// into steps by the engine's own events, and those by what the engine was seen to do
// meanwhile, for whomever.
type ScalingWhere struct {
	Parallel int    `json:"parallel"`
	Workload string `json:"workload"`
	Lives    int    `json:"lives"` // whose mean Parts is
	// Undivided is why nothing was seen of what the engine did, so that its part of each
	// step has the cause "engine, undivided"; empty where it was seen.
	Undivided string        `json:"undivided"`
	Parts     []ScalingPart `json:"parts"` // they make up the phases
	// Processors is how many of them the engine's programs kept busy; null: not known.
	Processors *float64         `json:"processors"`
	Programs   []ScalingProgram `json:"programs"`
	// Control is the same program as a process without a container, as many at once; null
	// where there is none, as NoControl says.
	Control   *ScalingControl `json:"control"`
	NoControl string          `json:"noControl"`
}

// A ScalingPart is how long a step of a phase went by for one cause, in seconds.
type ScalingPart struct {
	Phase   string  `json:"phase"` // create, attach, start (until ready), exec, stop, remove
	Step    string  `json:"step"`
	Cause   string  `json:"cause"`
	Seconds float64 `json:"seconds"`
}

// A ScalingProgram is what one of the engine's programs took for each life, in seconds:
// on a processor, waiting for one, and in the kernel for disk and for network set-up.
// Threads that wait together count each.
type ScalingProgram struct {
	Program string  `json:"program"`
	CPU     float64 `json:"cpu"`
	Delay   float64 `json:"delay"`
	Disk    float64 `json:"disk"`
	Network float64 `json:"network"`
}

// A ScalingControl is what the program takes without a container: medians, in seconds.
type ScalingControl struct {
	Lives int     `json:"lives"`
	Start float64 `json:"start"` // of the process
	Ready float64 `json:"ready"` // from the start on
	Stop  float64 `json:"stop"`
}

func (w *ScalingWhere) check() *problem {
	switch {
	case w.Parallel < 1:
		return &problem{[]any{"parallel"}, fmt.Sprintf("%d is no number of things at once", w.Parallel)}
	case w.Workload == "":
		return &problem{[]any{"workload"}, "is empty"}
	case w.Lives < 1:
		return &problem{[]any{"lives"}, fmt.Sprintf("%d lives have no mean", w.Lives)}
	}
	for i, p := range w.Parts {
		if p.Phase == "" || p.Step == "" || p.Cause == "" {
			return &problem{[]any{"parts", i}, "has no phase, step or cause"}
		}
		if found := checkNumbers(number{"seconds", &p.Seconds}); found != nil {
			return found.under("parts", i)
		}
	}
	for i, p := range w.Programs {
		if found := checkNumbers(number{"cpu", &p.CPU}, number{"delay", &p.Delay}, number{"disk", &p.Disk}, number{"network", &p.Network}); found != nil {
			return found.under("programs", i)
		}
	}
	if c := w.Control; c != nil {
		if found := checkNumbers(number{"start", &c.Start}, number{"ready", &c.Ready}, number{"stop", &c.Stop}); found != nil {
			return found.under("control")
		}
	}
	return checkNumbers(number{"processors", w.Processors})
}
