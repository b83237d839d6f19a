package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Saved tells where the result is and how the run ended.
func Saved(w io.Writer, path string, exit int, took time.Duration) error {
	_, err := fmt.Fprintf(w, "\nsaved %s after %s; exit status %d (%s)\n", clean(path), span(took), exit, exitWord(exit))
	return err
}

func exitWord(status int) string {
	switch status {
	case perf.ExitOK:
		return "all well"
	case perf.ExitGate:
		return "over a limit"
	case perf.ExitUnjudged:
		return "could not judge"
	case perf.ExitUsage:
		return "usage"
	}
	return "something failed"
}

// Headline says in one line what made a run end with its exit status: the objectives
// over a limit, what failed, or what could not be measured or decided. What else went
// wrong follows.
func Headline(r *perf.Result) string {
	breached, failed, open := headlineLists(r)
	lists := [][]string{breached, failed}
	switch r.Exit {
	case perf.ExitFailure:
		lists = [][]string{failed, breached}
	case perf.ExitUnjudged:
		lists = [][]string{open}
	}
	for _, extra := range [][]string{open, {"nothing was judged: the suite has no objective"}} {
		if len(slices.Concat(lists...)) == 0 {
			lists = [][]string{extra}
		}
	}
	return clean(strings.Join(slices.Concat(lists...), ", "))
}

// headlineLists words what is over a limit, what failed, and what is open. Who is over
// the critical limit is not mentioned beside who is over the target alone.
func headlineLists(r *perf.Result) (breached, failed, open []string) {
	var warned []string
	for _, o := range r.Objectives {
		text := o.Name + " is " + string(o.State)
		switch o.State {
		case perf.Breached:
			breached = append(breached, text)
		case perf.OverTarget:
			warned = append(warned, text)
		case perf.Undecided, perf.NotMeasured:
			open = append(open, text)
		default: // what is MET made nothing end
		}
	}
	if len(breached) == 0 && r.Exit == perf.ExitGate {
		breached = warned
	}
	for _, w := range r.Workloads {
		if w.State == perf.StateFailed {
			failed = append(failed, w.Name+" failed")
		}
	}
	if !r.Complete {
		missing, _ := unfinished(r)
		failed = append(failed, missing)
	}
	return breached, failed, open
}
