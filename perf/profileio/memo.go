package profileio

import (
	"bytes"
	"hash/maphash"
)

// Most lines of a recording are those of callers, and come again and again: then finding
// the line is enough, and it is not taken apart. Lines that do not come again must neither
// drive out those that do nor fill the memory, so the number of places is fixed, and a line
// that was found keeps its place once more. And where few lines come again, looking for them
// is no gain: then it rests.

const (
	memoLines   = 1 << 12
	longestMemo = 1 << 10 // of a line that is kept
	memoTries   = 1 << 12 // after so many lines it is seen whether it is of use
	memoRests   = 7       // for so many times as many lines, where it is not
)

// lineMemo knows which frames the lines of late were.
type lineMemo struct {
	seed   maphash.Seed
	places []memoLine
	tries  int // below 0: it rests
	found  int // of those
}

type memoLine struct {
	hash  uint64
	frame int32
	again bool // it was found since it last had to defend its place
	text  []byte
}

func newLineMemo() lineMemo {
	return lineMemo{seed: maphash.MakeSeed(), places: make([]memoLine, memoLines)}
}

// place returns where a line is, if it is known, or would be; nil while it rests.
func (m *lineMemo) place(line []byte) (at *memoLine, hash uint64, known bool) {
	if m.tries++; m.tries <= 0 {
		return nil, 0, false
	}
	if m.tries == memoTries {
		m.tries = 0
		if m.found < memoTries/3 {
			m.tries = -memoRests * memoTries
		}
		m.found = 0
	}
	hash = maphash.Bytes(m.seed, line)
	at = &m.places[hash%memoLines]
	if at.hash != hash || !bytes.Equal(at.text, line) {
		return at, hash, false
	}
	m.found++
	at.again = true
	return at, hash, true
}

// keep puts a line into its place.
func (at *memoLine) keep(hash uint64, line []byte, frame int32) {
	switch {
	case at == nil || len(line) > longestMemo:
	case at.again:
		at.again = false
	default:
		at.hash, at.frame, at.text = hash, frame, append(at.text[:0], line...)
	}
}

// moduleMemo knows the ends of lines that modules were, with their brackets and the blank
// before them. They are few, and finding where one begins is half of the work on a line.
type moduleMemo struct {
	ends [4][]byte
	last int // the one that was found last
	next int // the one that goes first
}

// open is lastGroup for what it remembers; else it asks that. What it remembers is a group
// by itself, so that nothing before it changes where it begins.
func (m *moduleMemo) open(text []byte) int {
	if end := m.ends[m.last]; len(end) > 0 && bytes.HasSuffix(text, end) {
		return len(text) - len(end) + 1
	}
	for i, end := range m.ends {
		if len(end) > 0 && bytes.HasSuffix(text, end) {
			m.last = i
			return len(text) - len(end) + 1
		}
	}
	open := lastGroup(text)
	if open > 0 && text[open-1] == ' ' && len(text)-open < longestMemo && lastGroup(text[open:]) == 0 {
		m.ends[m.next] = append(m.ends[m.next][:0], text[open-1:]...)
		m.last, m.next = m.next, (m.next+1)%len(m.ends)
	}
	return open
}
