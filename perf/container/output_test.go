package container

import (
	"strings"
	"testing"
)

func TestOutputFindsTheLine(t *testing.T) {
	for name, writes := range map[string][]string{
		"one write":          {"READY main=1\n"},
		"in pieces":          {"RE", "ADY ma", "in=1", "\n"},
		"after others":       {"loading\nnot READY yet\nREADY main=1\nmore\n"},
		"with a carriage":    {"READY main=1\r\n"},
		"without an end":     {"READY main=1"},
		"the first of two":   {"READY main=1\nREADY main=2\n"},
		"after an endless":   {strings.Repeat("x", 3*maxLine), "\nREADY main=1\n"},
		"in a write of many": {strings.Repeat("x\n", 10000) + "READY main=1\n"},
	} {
		o := newOutput(byPrefix("READY"))
		s := &stream{out: o}
		for _, w := range writes {
			if n, err := s.Write([]byte(w)); n != len(w) || err != nil {
				t.Errorf("%s: Write = %d, %v", name, n, err)
			}
		}
		s.flush()
		select {
		case <-o.ready:
		default:
			t.Errorf("%s: the line is not found", name)
			continue
		}
		if o.line != "READY main=1" || o.at.IsZero() {
			t.Errorf("%s: the line is %q at %v", name, o.line, o.at)
		}
	}
}

func TestOutputTail(t *testing.T) {
	o := newOutput(byPrefix("READY"))
	stdout, stderr := &stream{out: o}, &stream{out: o}
	for range 20 {
		stdout.Write([]byte("old\n"))
	}
	stdout.Write([]byte("half a"))
	stderr.Write([]byte("a whole one\n")) // the streams do not mix within a line
	stdout.Write([]byte(" line\n" + strings.Repeat("é", 500) + "\n"))
	tail := o.tail()
	if len(tail) != tailLines || tail[tailLines-3] != "a whole one" || tail[tailLines-2] != "half a line" {
		t.Errorf("the tail is %q", tail)
	}
	if last := tail[tailLines-1]; len(last) > tailWidth+3 || !strings.HasSuffix(last, "é...") {
		t.Errorf("a long line is cut to %d bytes: %q", len(last), last)
	}
}
