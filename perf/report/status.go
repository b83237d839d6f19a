package report

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
)

// A Status shows how a run goes on: as one line that is written over itself where
// that is a terminal, and as plain lines, one a workload and phase, elsewhere.
type Status struct {
	w        io.Writer
	terminal bool
	now      func() time.Time

	mu    sync.Mutex
	shown int       // width of the line that stands there
	last  time.Time // when it was written
	phase string
}

// NewStatus returns a status that is written to w; terminal says whether a line can
// be written over.
func NewStatus(w io.Writer, terminal bool) *Status {
	return &Status{w: w, terminal: terminal, now: time.Now}
}

// refresh is the shortest time between two writes of the same line, so that a
// command of a millisecond is not slowed down by its own progress.
const refresh = 100 * time.Millisecond

// Progress shows p. It is a hook of [experiment.Engine]. Errors are ignored on
// purpose: a closed stderr must not fail a measurement.
func (s *Status) Progress(p experiment.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	phase := p.Workload + "\x00" + p.Phase
	fresh := phase != s.phase
	s.phase = phase
	if !s.terminal {
		if fresh && p.Phase != experiment.PhaseWarmup {
			_, _ = fmt.Fprintln(s.w, plainProgress(p))
		}
		return
	}
	if now := s.now(); fresh || now.Sub(s.last) >= refresh {
		s.last = now
		s.over(liveProgress(p))
	}
}

func plainProgress(p experiment.Progress) string {
	return fmt.Sprintf("%s: %s, %s", shorten(clean(p.Workload), maxName), p.Phase, leftOf(p.Left))
}

// maxLine is how wide the live line gets: one that wraps cannot be written over.
const maxLine = 79

func liveProgress(p experiment.Progress) string {
	rest := ": " + p.Phase
	switch {
	case p.Phase == experiment.PhaseRun && p.Of > 1:
		rest += fmt.Sprintf(" %d of at most %d", p.Done+1, p.Of)
	case p.Of > 1:
		rest += fmt.Sprintf(" %d of %d", p.Done+1, p.Of)
	}
	if p.Median > 0 {
		rest += ", median " + perf.NewScale(perf.Second, p.Median).Format(p.Median)
	}
	rest += ", " + leftOf(p.Left)
	return shorten(clean(p.Workload), max(maxLine-columns(rest), 1)) + rest
}

// leftOf says how much time is left, rounded up to what an estimate is worth.
func leftOf(d time.Duration) string {
	unit := time.Second
	if d > time.Minute {
		unit = 5 * time.Second
	}
	if rest := d % unit; rest > 0 {
		d += unit - rest
	}
	return "at most " + span(max(d, unit)) + " left"
}

// over writes a line over the one that stands there.
func (s *Status) over(line string) {
	width := columns(line)
	_, _ = fmt.Fprintf(s.w, "\r%s%*s", line, max(s.shown-width, 0), "")
	s.shown = width
}

// Line shows how far something is that is no run, as a pull. Where no line can be written
// over, its beginning is told once.
func (s *Status) Line(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text = shorten(clean(text), maxLine)
	if !s.terminal {
		if s.phase == "" {
			_, _ = fmt.Fprintln(s.w, text)
		}
		s.phase = "\x00line"
		return
	}
	s.over(text)
}

// Announce prints a sentence that stays.
func (s *Status) Announce(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	_, _ = fmt.Fprintln(s.w, indent(text))
}

// Clear removes the line, so that something else can be printed.
func (s *Status) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
}

func (s *Status) clear() {
	if s.terminal && s.shown > 0 {
		_, _ = fmt.Fprintf(s.w, "\r%*s\r", s.shown, "")
		s.shown = 0
	}
}
