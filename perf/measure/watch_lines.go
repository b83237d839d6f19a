package measure

import (
	"bytes"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// maxWatchLine is how much of a line is looked at: a command that never ends a line
// must not fill the memory.
const maxWatchLine = 64 << 10

// watchLines follows a watching command by its lines. It is told of them by the loop
// that drains the command's output, so it does little: a line costs a few searches for
// fixed bytes, and one without colours allocates nothing. Times are those at which the bytes
// were read. Lines that are read at once came at different times since the read before
// it; how far before the last of them, the stamps in them tell, where there are some.
type watchLines struct {
	watch                         Watch
	ready, named, pass, fail, end marks
	stages                        []marks
	// changed is signalled when something has come that somebody may be waiting for.
	changed chan struct{}

	mu      sync.Mutex
	read    piece
	partial [3][]byte // the line under way, by stream
	recent  [failureLines][]byte
	count   int // of lines; recent[count%len] is the oldest

	watching bool      // the command has said that it is ready
	last     time.Time // of the last line
	now      rerun     // the one under way, or the last
	busy     bool      // it is under way
	begun    int       // reruns so far
	saved    *saved    // what is waited for, or was
}

// A rerun is one time that the command runs what it watches.
type rerun struct {
	name  string      // of what is run
	marks []time.Time // when its stages ended
	plain bool        // nothing has come of it but the line by which it began
}

// saved is a save that is waited for.
type saved struct {
	name   string
	at     time.Time
	done   bool
	passed bool
	marks  []time.Time
	seen   bool      // a rerun has begun since
	stale  bool      // one has ended that was of something else
	other  string    // the name of that
	since  time.Time // when that was
}

func newWatchLines(w Watch) *watchLines {
	l := &watchLines{watch: w, changed: make(chan struct{}, 1), now: rerun{marks: make([]time.Time, len(w.Stages))}}
	l.ready, l.named, l.pass, l.fail = newMarks(w.Ready), newMarks(w.Named), newMarks(w.Pass), newMarks(w.Fail)
	l.end = newMarks(w.End...)
	for _, s := range w.Stages {
		l.stages = append(l.stages, newMarks(s.Ends...))
	}
	return l
}

// output is the hook that sees the output.
func (l *watchLines) output(stream int, p []byte, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read = piece{bytes: p, at: at, before: l.read.at}
	rest := &l.partial[stream]
	for {
		line, after, ended := bytes.Cut(p, []byte("\n"))
		if room := maxWatchLine - len(*rest); room > 0 && (!ended || len(*rest) > 0) {
			*rest = append(*rest, line[:min(len(line), room)]...)
		}
		if !ended {
			return
		}
		if len(*rest) > 0 {
			line = *rest
		}
		l.line(line[:min(len(line), maxWatchLine)])
		*rest, p = (*rest)[:0], after
	}
}

// line takes one line in.
func (l *watchLines) line(line []byte) {
	oldest := &l.recent[l.count%len(l.recent)]
	*oldest = append((*oldest)[:0], line...)
	l.count++
	l.last = l.read.at
	if bytes.IndexByte(line, '\x1b') >= 0 {
		line = escapes.ReplaceAll(line, nil)
	}
	l.message(bytes.TrimRight(line, "\r "))
}

// message looks for what the line means.
func (l *watchLines) message(line []byte) {
	if !l.watching {
		// What comes of the first run is older than any save.
		if _, l.watching = l.ready.begin(line); l.watching {
			l.wake()
		}
		return
	}
	if _, changed := l.stages[0].begin(line); changed {
		l.began(l.when(line))
		return
	}
	if name, ok := l.named.begin(line); ok {
		l.now.name, l.now.plain = string(name), false
	}
	for i, ends := range l.stages {
		if l.now.marks[i].IsZero() {
			if _, ok := ends.begin(line); ok {
				l.now.marks[i], l.now.plain = l.when(line), false
			}
		}
	}
	_, passed := l.pass.begin(line)
	if _, failed := l.fail.begin(line); passed || failed {
		l.result(passed)
	}
	if _, ok := l.end.begin(line); ok {
		l.over()
	}
}

// began notes that a change was seen, which begins a rerun. The line of one that has
// said nothing else yet may stand there twice.
func (l *watchLines) began(at time.Time) {
	if l.busy && l.now.plain {
		return
	}
	clear(l.now.marks)
	l.now = rerun{marks: l.now.marks, plain: true}
	l.now.marks[0] = at
	l.busy = true
	l.begun++
	if l.saved != nil {
		l.saved.seen = true
		l.wake()
	}
}

// ours reports whether the rerun under way can be the one that is waited for. One that
// began before the save may have read the new content all the same, but its time is
// not that of a reload.
func (l *watchLines) ours() bool {
	return l.saved != nil && !l.saved.done && l.busy && !l.now.marks[0].Before(l.saved.at)
}

// result takes the first result of what was saved.
func (l *watchLines) result(passed bool) {
	if !l.ours() || l.now.name != l.saved.name {
		return
	}
	l.saved.done, l.saved.passed = true, passed
	l.saved.marks = append([]time.Time(nil), l.now.marks...)
	l.saved.marks[len(l.saved.marks)-1] = l.read.at
	l.wake()
}

// over notes that the rerun is over. Its last line may stand there twice.
func (l *watchLines) over() {
	if l.ours() {
		l.saved.stale, l.saved.other, l.saved.since = true, l.now.name, l.read.at
	}
	l.busy = false
	l.wake()
}

func (l *watchLines) wake() {
	select {
	case l.changed <- struct{}{}:
	default: // it is signalled already
	}
}

// expect is called right before the save of what is called name.
func (l *watchLines) expect(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.saved = &saved{name: name, at: time.Now()}
}

func (l *watchLines) isReady(time.Time) (yes bool, later time.Time, givenUp bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.watching, time.Time{}, false
}

// isQuiet reports whether all reruns have ended.
func (l *watchLines) isQuiet(now time.Time) (yes bool, later time.Time, givenUp bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy {
		return false, time.Time{}, false
	}
	quiet := l.last.Add(settleTime)
	return !now.Before(quiet), quiet, false
}

// isDone reports whether the result of what was saved is there.
func (l *watchLines) isDone(now time.Time) (yes bool, later time.Time, givenUp bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.saved
	switch {
	case s.done:
		return true, later, false
	case !s.seen:
		later = s.at.Add(l.detectLimit())
	case s.stale && !l.busy:
		later = s.since.Add(staleLimit)
	}
	return false, later, !later.IsZero() && !now.Before(later)
}

func (l *watchLines) detectLimit() time.Duration { return min(detectLimit, l.watch.Limit) }

// missing words what has not come since the save.
func (l *watchLines) missing() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, file := l.saved, filepath.Base(l.watch.File)
	switch {
	case !s.seen:
		return fmt.Sprintf("it did not notice within %v that %s was saved", l.detectLimit(), file)
	case s.stale && s.other == "":
		return fmt.Sprintf("it saw that %s was saved, and did not run it: has it taken a result out of a cache?", file)
	case s.stale:
		return fmt.Sprintf("it saw that %s was saved, and ran %q instead of %q, which was saved", file, s.other, s.name)
	}
	last := 0
	for i, mark := range l.now.marks {
		if !mark.IsZero() {
			last = i
		}
	}
	return fmt.Sprintf("it gave no result within %v of the save of %s; it came as far as the end of: %s",
		l.watch.Limit, file, stageNames(l.watch.Stages[:last+1]))
}

// take enters the times of the reload that is done, and returns the result.
func (l *watchLines) take(r *Reload) (passed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.saved
	r.Total = s.marks[len(s.marks)-1].Sub(s.at)
	before := s.at
	for _, mark := range s.marks {
		took := time.Duration(-1)
		if !mark.IsZero() && !before.IsZero() {
			took = max(mark.Sub(before), 0) // the clock of the stamps may have been set back
		}
		r.Stages = append(r.Stages, took)
		before = mark
	}
	return s.passed
}

func (l *watchLines) reruns() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.begun
}

// recently is the last lines, as they came.
func (l *watchLines) recently() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []byte
	for i := range l.recent {
		if line := l.recent[(l.count+i)%len(l.recent)]; line != nil {
			out = append(append(out, line...), '\n')
		}
	}
	return out
}

// when is the time at which a line came.
func (l *watchLines) when(line []byte) time.Time {
	earliest := l.read.before
	if l.saved != nil && l.saved.at.After(earliest) {
		earliest = l.saved.at // it was read after the save, so it counts as having come then
	}
	return l.read.when(line, earliest)
}

// A piece is what came with one read.
type piece struct {
	bytes      []byte
	at, before time.Time // of the read, and of the one before it

	stamped, asked bool
	stamp          time.Time // in the last whole line of it
}

// when is the time of a line of the piece. It is never outside of what the reads say,
// whatever the stamps do.
func (p *piece) when(line []byte, earliest time.Time) time.Time {
	if !p.asked {
		whole := bytes.TrimRight(p.bytes[:bytes.LastIndexByte(p.bytes, '\n')+1], "\r\n")
		p.stamp, p.stamped = stampOf(whole[bytes.LastIndexByte(whole, '\n')+1:])
		p.asked = true
	}
	stamp, stamped := stampOf(line)
	if !stamped || !p.stamped {
		return p.at
	}
	at := p.at.Add(-max(p.stamp.Sub(stamp), 0))
	if at.Before(earliest) {
		return earliest
	}
	return at
}

// stampOf is the time by which a line begins (RFC 3339), as loggers write it.
func stampOf(line []byte) (time.Time, bool) {
	line = escapes.ReplaceAll(line, nil)
	stamp, _, _ := bytes.Cut(line, []byte(" "))
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	return at, err == nil
}

// marks are how the messages begin by which something is recognised.
type marks [][]byte

func newMarks(beginnings ...string) marks {
	var m marks
	for _, b := range beginnings {
		m = append(m, []byte(b))
	}
	return m
}

// begin reports whether the message of a line begins with one of the marks, and what
// stands behind it.
func (m marks) begin(line []byte) (rest []byte, ok bool) {
	for _, mark := range m {
		for from := 0; ; {
			at := bytes.Index(line[from:], mark)
			if at < 0 {
				break
			}
			at += from
			if at == 0 || bytes.HasSuffix(line[:at], []byte(": ")) {
				return line[at+len(mark):], true
			}
			from = at + 1
		}
	}
	return nil, false
}
