package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
)

// steps is a run as the hooks see it, a refresh apart from each other.
func steps(s *Status, clock *time.Time) {
	for _, p := range []experiment.Progress{
		{Workload: "build", Phase: experiment.PhaseSetup, Of: 1, Left: 80 * time.Second},
		{Workload: "build", Phase: experiment.PhaseRun, Of: 1, Left: 79500 * time.Millisecond},
		{Workload: "cli startup", Phase: experiment.PhaseWarmup, Done: 0, Of: 3, Left: 60200 * time.Millisecond},
		{Workload: "cli startup", Phase: experiment.PhaseRun, Done: 0, Of: 100, Left: 60 * time.Second},
		{Workload: "cli startup", Phase: experiment.PhaseRun, Done: 9, Of: 80, Median: 0.005, Left: 1500 * time.Millisecond},
		{Workload: "cli startup", Phase: experiment.PhaseMemory, Done: 1, Of: 3, Median: 0.005, Left: 300 * time.Millisecond},
		{Workload: strings.Repeat("a long command ", 20) + "\nend", Phase: experiment.PhaseRun, Done: 9, Of: 80, Median: 0.00512, Left: time.Hour},
		{Workload: "日本語", Phase: experiment.PhaseRun, Of: 1, Left: 0},
	} {
		*clock = clock.Add(refresh)
		s.Progress(p)
	}
}

// testStatus has a clock that moves by itself only.
func testStatus(terminal bool) (*Status, *bytes.Buffer, *time.Time) {
	b, clock := new(bytes.Buffer), new(time.Time)
	*clock = when
	s := NewStatus(b, terminal)
	s.now = func() time.Time { return *clock }
	return s, b, clock
}

// screen is what a terminal shows after the text, which may hold \r: a line that is
// written over keeps what is not covered.
func screen(text string) string {
	var done []string
	for line := range strings.SplitSeq(text, "\n") {
		var shown []rune
		at := 0
		for _, r := range line {
			if r == '\r' {
				at = 0
				continue
			}
			// Wide characters take two cells, the second of which is empty here.
			for range runeColumns(r) {
				if at == len(shown) {
					shown = append(shown, ' ')
				}
				shown[at] = r
				r = 0
				at++
			}
		}
		done = append(done, strings.TrimRight(strings.ReplaceAll(string(shown), "\x00", ""), " "))
	}
	return strings.Join(done, "\n")
}

func TestStatusPiped(t *testing.T) {
	s, b, clock := testStatus(false)
	steps(s, clock)
	steps(s, clock)
	s.Announce("build runs once, and takes about 20 s: go build 'a\nb'")
	s.Clear()
	checkGolden(t, "status-piped.golden", b.Bytes())
	checkText(t, "piped status", b.String())
}

// On a terminal each state replaces the one before, and nothing is left of a longer
// line under a shorter one.
func TestStatusTerminal(t *testing.T) {
	s, b, clock := testStatus(true)
	var shown []string
	observed := &observer{status: s, buffer: b, shown: &shown}
	observed.run(clock)
	checkGolden(t, "status-terminal.golden", []byte(strings.Join(shown, "\n")+"\n"))
	for _, line := range shown {
		if columns(line) > maxLine {
			t.Errorf("%d columns wrap on many a terminal: %q", columns(line), line)
		}
	}
	if n := strings.Count(b.String(), "\n"); n != 0 {
		t.Errorf("%d line ends in the live line", n)
	}
	s.Clear()
	if got := screen(b.String()); got != "" {
		t.Errorf("after Clear the screen shows %q", got)
	}
	size := b.Len()
	if s.Clear(); b.Len() != size {
		t.Error("a second Clear writes again")
	}
}

// observer notes what the screen shows after each write.
type observer struct {
	status *Status
	buffer *bytes.Buffer
	shown  *[]string
}

func (o *observer) Write(p []byte) (int, error) {
	n, err := o.buffer.Write(p)
	*o.shown = append(*o.shown, screen(o.buffer.String()))
	return n, err
}

func (o *observer) run(clock *time.Time) {
	o.status.w = o
	steps(o.status, clock)
}

// A command of a millisecond must not be slowed down by its own progress, and a new
// phase shows at once.
func TestStatusRefresh(t *testing.T) {
	s, b, clock := testStatus(true)
	for i := range 1000 {
		*clock = clock.Add(refresh / 100)
		s.Progress(experiment.Progress{Workload: "x", Phase: experiment.PhaseRun, Done: i, Of: 1000})
	}
	if n := strings.Count(b.String(), "\r"); n != 10 {
		t.Errorf("%d writes for a thousand runs in ten refreshes", n)
	}
	s.Progress(experiment.Progress{Workload: "x", Phase: experiment.PhaseMemory, Of: 2})
	if got := screen(b.String()); !strings.HasPrefix(got, "x: memory 1 of 2") {
		t.Errorf("the screen shows %q", got)
	}
}

// What is announced stays, and the live line does not run into it.
func TestStatusAnnounce(t *testing.T) {
	s, b, clock := testStatus(true)
	steps(s, clock)
	s.Announce("one\nmore \x1b[2J")
	steps(s, clock)
	s.Clear()
	if got, want := screen(b.String()), "one\n    more\n"; got != want {
		t.Errorf("the screen shows %q, want %q", got, want)
	}
}

func TestLeftOf(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "1 s", 0: "1 s", time.Nanosecond: "1 s", 1001 * time.Millisecond: "2 s", time.Minute: "1 min",
		61 * time.Second: "1 min 5 s", 3601 * time.Second: "1 h",
	} {
		if got := leftOf(d); got != fmt.Sprintf("at most %s left", want) {
			t.Errorf("%s: %q", d, got)
		}
	}
}
