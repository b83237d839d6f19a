package report

import (
	"fmt"
	"io"
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
		head:  []string{"baseline", "suite", "made", "age", "commit", "machine"},
		align: []align{left, left, left, right, left, left},
	}
	for _, e := range list {
		machine := e.Fingerprint
		if machine == here {
			machine += " (this one)"
		}
		commit := e.Commit
		if len(commit) > 12 {
			commit = commit[:12]
		}
		days := fmt.Sprintf("%.0f days", now.Sub(e.Created).Hours()/24)
		t.add(e.Name, e.Suite, e.Created.Format("2006-01-02 15:04"), days, commit, machine)
	}
	return t.write(w, st)
}

// BaselineSaved tells what was kept as a baseline, and what in it is not whole.
func BaselineSaved(w io.Writer, r *perf.Result, path string) error {
	out := &writer{w: w}
	out.printf("saved run %s as %s\n", r.ID, path)
	for _, wl := range r.Workloads {
		if wl.State != perf.StateOK {
			out.printf("note: %s was %s in it, so comparisons with this baseline lack it\n", wl.Name, wl.State)
		}
	}
	if r.Subject.Dirty {
		out.printf("note: the work tree had uncommitted changes, so commit %.12s alone does not make these figures\n", r.Subject.Commit)
	}
	return out.err
}

// Note prints a remark that is no result.
func Note(w io.Writer, text string) error {
	_, err := fmt.Fprintln(w, "note: "+indent(text))
	return err
}
