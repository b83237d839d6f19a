package profileio

import "hash/maphash"

// Reading a recording is looking things up in two tables, a frame by its text and a
// node by its parent and frame, millions of times. Both are hash tables with open
// addressing: against Go's maps they need no string to be made of the text, and half
// the time.

// frameTable finds frames by their text.
type frameTable struct {
	seed   maphash.Seed
	slots  []frameSlot
	frames []frame
}

// frameSlot holds a part of the hash, so that frames are looked at only where they are
// likely the wanted ones: each look is at another place of the memory.
type frameSlot struct {
	hash uint32
	id   int32 // plus one; 0: free
}

func newFrameTable() frameTable {
	return frameTable{seed: maphash.MakeSeed(), slots: make([]frameSlot, 1024)}
}

// id returns the id of a frame, which is new if it was not met before.
func (t *frameTable) id(symbol, module []byte, addr uint64) int32 {
	h := maphash.Bytes(t.seed, symbol)*31 ^ maphash.Bytes(t.seed, module) ^ addr*0x9e3779b97f4a7c15
	hash := uint32(h ^ h>>32)
	mask := uint32(len(t.slots) - 1)
	at := hash & mask
	for ; t.slots[at].id != 0; at = (at + 1) & mask {
		if t.slots[at].hash != hash {
			continue
		}
		id := t.slots[at].id - 1
		if f := &t.frames[id]; f.addr == addr && f.symbol == string(symbol) && f.module == string(module) {
			return id
		}
	}
	id := int32(len(t.frames))
	t.frames = append(roomy(t.frames), frame{string(symbol), t.module(module), addr})
	t.slots[at] = frameSlot{hash, id + 1}
	if 2*len(t.frames) > len(t.slots) {
		t.grow()
	}
	return id
}

// module returns the text as a string; those of one module follow each other, and
// share it.
func (t *frameTable) module(text []byte) string {
	if n := len(t.frames); n > 0 && t.frames[n-1].module == string(text) {
		return t.frames[n-1].module
	}
	return string(text)
}

func (t *frameTable) grow() {
	old := t.slots
	t.slots = make([]frameSlot, 2*len(old))
	mask := uint32(len(t.slots) - 1)
	for _, s := range old {
		if s.id == 0 {
			continue
		}
		at := s.hash & mask
		for ; t.slots[at].id != 0; at = (at + 1) & mask {
		}
		t.slots[at] = s
	}
}

// childTable finds the node of a frame below a parent.
type childTable struct {
	slots []childSlot
	used  int
}

type childSlot struct {
	key  uint64
	node int32 // plus one; 0: free
}

func newChildTable() childTable { return childTable{slots: make([]childSlot, 4096)} }

// spread makes the low bits of a key depend on all of it (Fibonacci hashing).
func spread(key uint64) uint64 {
	key *= 0x9e3779b97f4a7c15
	return key ^ key>>32
}

// slot returns the slot of a key: the one that has it, or the free one for it.
func (t *childTable) slot(key uint64) *childSlot {
	mask := uint64(len(t.slots) - 1)
	at := spread(key) & mask
	for t.slots[at].node != 0 && t.slots[at].key != key {
		at = (at + 1) & mask
	}
	return &t.slots[at]
}

// put fills a free slot.
func (t *childTable) put(s *childSlot, key uint64, node int32) {
	s.key, s.node = key, node+1
	t.used++
	if 2*t.used <= len(t.slots) {
		return
	}
	old := t.slots
	t.slots = make([]childSlot, 4*len(old))
	for _, o := range old {
		if o.node != 0 {
			*t.slot(o.key) = o
		}
	}
}
