package experiment

import (
	"bytes"
	"regexp"
	"strconv"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// maxLine is how much of a line is looked at. A command that writes without ever
// ending a line must not fill the memory.
const maxLine = 64 << 10

// lineCounts counts what a workload wants to be counted in its output.
type lineCounts struct {
	passed, failed, items counter
	partial               [3][]byte // by stream
}

// counter counts the matches of one pattern.
type counter struct {
	pattern *regexp.Regexp
	n       int
}

func newCounter(c suite.Count) counter {
	if c.Pattern == "" {
		return counter{}
	}
	pattern, err := regexp.Compile(c.Pattern)
	if err != nil {
		return counter{} // [suite.Suite.CheckValid] has refused it before
	}
	return counter{pattern: pattern}
}

// line counts a match in the line: as the number in the pattern's group, if it has
// one, else once.
func (c *counter) line(line []byte) {
	if c.pattern == nil {
		return
	}
	m := c.pattern.FindSubmatch(line)
	if m == nil {
		return
	}
	add := 1
	if len(m) > 1 {
		add, _ = strconv.Atoi(string(m[1]))
	}
	c.n += add
}

// counters hooks the counting of tests and items into the command, if it has any.
func (j *job) counters(cmd *measure.Command) *lineCounts {
	c := new(lineCounts)
	if t := j.w.Tests; t != nil {
		c.passed, c.failed = newCounter(t.Passed), newCounter(t.Failed)
	}
	if i := j.w.Items; i != nil && i.Number == 0 {
		c.items = newCounter(i.Count)
	}
	if c.passed.pattern != nil || c.failed.pattern != nil || c.items.pattern != nil {
		cmd.OnOutput = c.output
	}
	return c
}

// output splits what arrives on a stream into lines.
func (c *lineCounts) output(stream int, p []byte, _ time.Time) {
	rest := &c.partial[stream]
	for {
		line, after, ended := bytes.Cut(p, []byte("\n"))
		if room := maxLine - len(*rest); room > 0 {
			*rest = append(*rest, line[:min(len(line), room)]...)
		}
		if !ended {
			return
		}
		c.line(*rest)
		*rest, p = (*rest)[:0], after
	}
}

// flush counts the last line of each stream, which need not end in a newline.
func (c *lineCounts) flush() {
	for i := range c.partial {
		if len(c.partial[i]) > 0 {
			c.line(c.partial[i])
			c.partial[i] = nil
		}
	}
}

func (c *lineCounts) line(line []byte) {
	c.passed.line(line)
	c.failed.line(line)
	c.items.line(line)
}

// itemCount is how many items a run worked through; 0 means unknown.
func (c *lineCounts) itemCount(items *suite.Items) int {
	if items == nil {
		return 0
	}
	if items.Number > 0 {
		return items.Number
	}
	return c.items.n
}
