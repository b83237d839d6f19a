package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/baseline"
)

// Baselines prints the list of baselines. here is this machine's fingerprint, and
// now is what their age is reckoned from.
func Baselines(w io.Writer, list []baseline.Entry, here string, now time.Time, st Style) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "There are no baselines. Measure (benchmarks), then keep the run: baseline:save NAME")
		return err
	}
	t := &table{
		head:  []string{"baseline", "suite", "mode", "made (UTC)", "age", "commit", "machine"},
		align: []align{left, left, left, left, right, left, left},
	}
	for _, e := range list {
		machine := e.Fingerprint
		if machine == here {
			machine += " (this one)"
		}
		commit := shortCommit(e.Commit)
		if e.Dirty {
			commit += " + changes"
		}
		t.add(e.Name, e.Suite, e.Mode, e.Created.UTC().Format("2006-01-02 15:04"), ago(now.Sub(e.Created)), commit, machine)
	}
	return t.write(w, st)
}

// Runs prints the list of runs, newest first, below the list of baselines, whose next
// one each whole run could become.
func Runs(w io.Writer, list []*perf.Result, st Style) error {
	if len(list) == 0 {
		return nil
	}
	t := &table{
		head:  []string{"newest runs", "suite", "mode", "made (UTC)", "commit", "exit", ""},
		align: []align{left, left, left, left, left, right, left},
	}
	for _, r := range list {
		commit := shortCommit(r.Subject.Commit)
		if r.Subject.Dirty {
			commit += " + changes"
		}
		t.add(clean(r.ID), clean(r.Suite), clean(r.Mode), r.Created.UTC().Format("2006-01-02 15:04"), commit, fmt.Sprint(r.Exit), extent(r))
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return t.write(w, st)
}

// extent says how much of its suite a run covers.
func extent(r *perf.Result) string {
	switch {
	case !r.Complete:
		return "incomplete"
	case len(r.Only) > 0:
		return "only " + clean(strings.Join(r.Only, ", "))
	}
	return "whole"
}

// ago words an age in days. One below zero comes from a clock that is wrong.
func ago(d time.Duration) string {
	switch days := int(d.Hours() / 24); {
	case d < 0:
		return "in the future"
	case days == 0:
		return "today"
	case days == 1:
		return "1 day"
	default:
		return fmt.Sprintf("%d days", days)
	}
}

// shortCommit is what is enough of a commit for a reader.
func shortCommit(commit string) string {
	return fmt.Sprintf("%.12s", clean(commit))
}

// BaselineSaved tells what was kept as a baseline, and what in it is not whole.
func BaselineSaved(w io.Writer, r *perf.Result, path string) error {
	out := &writer{w: w}
	out.printf("saved run %s as %s\n", clean(r.ID), clean(path))
	for _, wl := range r.Workloads {
		if wl.State != perf.StateOK {
			out.printf("note: %s was %s in it, so comparisons with this baseline lack it\n", clean(wl.Name), wl.State)
		}
	}
	if r.Subject.Dirty {
		out.printf("note: the work tree had uncommitted changes, so commit %s alone does not make these figures\n", shortCommit(r.Subject.Commit))
	}
	return out.err
}

// Note prints a remark that is no result.
func Note(w io.Writer, text string) error {
	_, err := fmt.Fprintln(w, "note: "+indent(text))
	return err
}
