package perfdata

import "slices"

// The kernel can leave the program's part of a call chain for later (perf_event_attr,
// defer_callchain): the sample has a number in its place, and a record with the same number
// has the addresses, once the thread has gone back to the program. Samples wait for that.

// deferredKey tells what samples wait for.
type deferredKey struct {
	tid    uint32
	cookie uint64
}

// A deferredSample is one that waits.
type deferredSample struct {
	owner  int32
	sites  []int32 // of the kernel
	alone  int32   // the sample's own address, if there are no others
	weight int64
}

// maxDeferred bounds how many samples wait. A thread that has gone back wakes all of its own.
const maxDeferred = 1 << 16

// deferSample keeps the sample whose sites were found, and reports whether it waits.
func (c *collector) deferSample(x *sample, owner int32) bool {
	if c.cookie == 0 || c.waits != nil || c.deferredCount == maxDeferred {
		return false
	}
	d := deferredSample{owner: owner, sites: slices.Clone(c.sites), weight: int64(x.period)}
	if !c.chained {
		d.sites, d.alone = nil, c.sites[0]
	}
	key := deferredKey{x.tid, c.cookie}
	if c.deferred == nil {
		c.deferred = map[deferredKey][]deferredSample{}
	}
	c.deferred[key] = append(c.deferred[key], d)
	c.deferredCount++
	return true
}

// takeDeferred takes the program's part of a call chain: the number, how many addresses
// there are, and these. It reports false where the record is too short.
func (c *collector) takeDeferred(s *session, r record) bool {
	b := r.body()
	if len(b) < 16 || order.Uint64(b[8:]) > uint64(len(b)-16)/8 {
		return false
	}
	tid, ok := s.tidOf(r)
	if !ok {
		return true // nobody can tell whose it is; the samples are told as incomplete
	}
	key := deferredKey{tid, order.Uint64(b)}
	waiting := c.deferred[key]
	if len(waiting) == 0 {
		return true
	}
	delete(c.deferred, key)
	c.deferredCount -= len(waiting)
	t := c.world.threads[tid]
	if t == nil {
		t = c.world.thread(tid, tid)
	}
	c.space = t.proc.space
	c.sites = c.sites[:0]
	c.chain(b[16:16+8*order.Uint64(b[8:])], contextUser, true)
	for _, d := range waiting {
		c.countDeferred(d, c.sites)
	}
	return true
}

func (c *collector) countDeferred(d deferredSample, user []int32) {
	sites := slices.Concat(d.sites, user)
	if len(sites) == 0 {
		sites = []int32{d.alone}
	}
	c.result.Samples++
	c.stacks.add(c.stacks.at(d.owner, sites), d.weight)
}

// endDeferred counts the samples that still wait, without what they have waited for.
func (c *collector) endDeferred() {
	c.incomplete += int64(c.deferredCount)
	for _, waiting := range c.deferred {
		for _, d := range waiting {
			c.countDeferred(d, nil)
		}
	}
	c.deferred, c.deferredCount = nil, 0
}
