package perfdata

import (
	"cmp"
	"slices"
)

// A recording has a buffer for each CPU, and their records come one buffer after the
// other: what a record depends on, a mapping or a fork that another CPU has seen, can
// stand behind it. perf marks where it has been through all buffers once. All that comes
// behind the second such mark is later than what came before the first.
type queue struct {
	waiting []queued
	seq     int64
	// newest is the greatest time that has come in, and round what it was at the last mark.
	newest, round uint64
	done          uint64 // up to this time, everything was handed out
	late          int64  // records that came when later ones had been handed out
	held          int    // bytes
}

type queued struct {
	time uint64
	seq  int64
	record
}

// maxHeld bounds the bytes that wait to be put in order. perf reads some megabytes between
// two marks; a recording without marks would wait as a whole.
const maxHeld = 48 << 20

// queuedSize is about what a record takes by waiting, beside its bytes.
const queuedSize = 96

// push takes a record with a time.
func (q *queue) push(r record, time uint64) {
	r.chunk.refs++
	if time < q.done {
		q.late++
	}
	q.waiting = append(q.waiting, queued{time, q.seq, r})
	q.seq++
	q.newest = max(q.newest, time)
	q.held += len(r.data) + queuedSize
}

// mark ends a round: everything up to the mark before is complete.
func (q *queue) mark(take func(record)) {
	q.flush(q.round, take)
	q.round = q.newest
}

// full reports whether more waits than may.
func (q *queue) full() bool { return q.held > maxHeld }

// relieve hands the older half out, where no mark comes.
func (q *queue) relieve(take func(record)) {
	q.sort()
	q.flush(q.waiting[len(q.waiting)/2].time, take)
}

func (q *queue) sort() {
	slices.SortFunc(q.waiting, func(a, b queued) int { return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.seq, b.seq)) })
}

// flush hands out what is not later than a time, in order.
func (q *queue) flush(until uint64, take func(record)) {
	q.sort()
	n, _ := slices.BinarySearchFunc(q.waiting, until, func(e queued, until uint64) int {
		if e.time <= until {
			return -1
		}
		return 1
	})
	for i := range q.waiting[:n] {
		q.held -= len(q.waiting[i].data) + queuedSize
		take(q.waiting[i].record)
	}
	rest := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	q.done = max(q.done, until)
}
