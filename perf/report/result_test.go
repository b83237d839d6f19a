package report

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

func TestResult(t *testing.T) {
	secondRun := goodRun()
	secondRun.Workloads[0].Metrics[0].Summary.N = 2
	secondRun.Objectives[0] = judgedOnce(secondRun.Objectives[0], perf.Undecided, 2, 179, "1 of 2 runs over the critical 180 s, and no two in a row: the machine or the subject is unsteady, measure again")
	incompleteRun := goodRun()
	incompleteRun.Complete = false
	incompleteRun.Workloads[3] = perf.WorkloadResult{Name: "self-test", State: perf.StateNotMeasured, Reason: "interrupted before the end, after 4 runs"}
	incompleteRun.Objectives[3] = unmeasured(memoryObjective(), "interrupted before the end, after 4 runs")
	for name, r := range map[string]*perf.Result{
		"result": goodRun(), "result-bad": badRun(), "result-second-run": secondRun, "result-incomplete": incompleteRun,
		"result-reload": reloadRun(), "result-nasty": nastyRun(), "result-empty": emptyRun(),
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, name, func(w io.Writer, st Style) error { return Result(w, r, st) })
		})
	}
}

// Every column begins, or ends, where its head does, whatever the names are made of.
func TestTableAlignment(t *testing.T) {
	for name, r := range map[string]*perf.Result{"good": goodRun(), "nasty": nastyRun()} {
		var b strings.Builder
		if err := Result(&b, r, Style{}); err != nil {
			t.Fatal(err)
		}
		_, table, _ := strings.Cut(b.String(), "\n\n")
		table, _, found := strings.Cut(table, "\n\ninterval: ")
		lines := strings.Split(table, "\n")
		if !found || len(lines) < 8 {
			t.Fatalf("%s: no table in\n%s", name, &b)
		}
		start := columnsBefore(table, "interval")
		for _, line := range lines[1:] {
			before := cutColumns(line, start)
			if !strings.HasSuffix(before, "  ") && before != line {
				t.Errorf("%s: something reaches into the column of intervals: %q", name, line)
			}
		}
	}
}

// columnsBefore is how many columns stand before the word on its line.
func columnsBefore(text, word string) int {
	before, _, _ := strings.Cut(text, word)
	return columns(before[strings.LastIndexByte(before, '\n')+1:])
}

// cutColumns is the beginning of the line, n columns wide, or all of it.
func cutColumns(line string, n int) string {
	for i, r := range line {
		if n <= 0 {
			return line[:i]
		}
		n -= runeColumns(r)
	}
	return line
}

type failing struct{ after int }

func (f *failing) Write(p []byte) (int, error) {
	if f.after -= len(p); f.after < 0 {
		return 0, errors.New("the pipe is closed")
	}
	return len(p), nil
}

// An error of the writer comes back, wherever it happens.
func TestWriterErrors(t *testing.T) {
	for _, after := range []int{0, 100, 600, 1500} {
		if err := Result(&failing{after}, badRun(), Style{}); err == nil {
			t.Errorf("no error with a writer that fails after %d bytes", after)
		}
	}
	if err := Times(&failing{50}, timesRun(), Style{}); err == nil {
		t.Error("Times swallows the error")
	}
}

func TestHeadline(t *testing.T) {
	strict := goodRun()
	strict.Exit, strict.Objectives[1].State = perf.ExitGate, perf.OverTarget
	failed := badRun()
	failed.Exit = perf.ExitFailure
	open := goodRun()
	open.Exit, open.Objectives[1].State, open.Objectives[2].State = perf.ExitUnjudged, perf.NotMeasured, perf.OverTarget
	warned := goodRun()
	warned.Exit, warned.Objectives[1].State, warned.Workloads[3].State = perf.ExitFailure, perf.OverTarget, perf.StateFailed
	cut := goodRun()
	cut.Exit, cut.Complete = perf.ExitFailure, false
	unread := emptyRun()
	unread.Exit, unread.Complete, unread.Mode = perf.ExitFailure, false, perf.ModeImport
	for name, row := range map[string]struct {
		r    *perf.Result
		want string
	}{
		"breached":                {badRun(), "build time is BREACHED, test suite failed"},
		"strict":                  {strict, "cli startup is WARNING"},
		"failed":                  {failed, "test suite failed, build time is BREACHED"},
		"failed beside a warning": {warned, "self-test failed"},
		"open":                    {open, "cli startup is NOT MEASURED"},
		"interrupted":             {cut, "the run did not come to its end"},
		"import":                  {unread, "not all that was imported could be read"},
		"no objective":            {emptyRun(), "nothing was judged: the suite has no objective"},
	} {
		if got := Headline(row.r); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
	hostile := nastyRun()
	hostile.Exit, hostile.Objectives[0].State = perf.ExitGate, perf.Breached
	checkText(t, "headline", Headline(hostile)+"\n")
}

func TestSaved(t *testing.T) {
	var b strings.Builder
	for _, exit := range []int{perf.ExitOK, perf.ExitFailure, perf.ExitUsage, perf.ExitGate, perf.ExitUnjudged} {
		if err := Saved(&b, ".perf/runs/x/result.json", exit, 83400*time.Millisecond-time.Duration(exit)*20*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	checkGolden(t, "saved.golden", []byte(b.String()))
}
