package experiment

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// The sides of a comparison.
const (
	OldSide = iota
	NewSide
)

// A Variation is what a run is given beside the work itself. All of it but Side is the
// same for both runs of a pair, and is drawn anew for the next: what depends on it, such
// as how a stack is aligned, then is noise between pairs and no difference between sides
// (Mytkowicz, Diwan, Hauswirth and Sweeney 2009).
type Variation struct {
	CPUs []int // the only processors to run on; empty: any
	Pad  int   // bytes to add to the environment
	Path uint  // which of the paths to binary and folder, where there are several
	// Builds says which of several builds each side takes, drawn for each by itself.
	Builds [2]uint
	// Copies says which copy of its program each side runs, drawn for each by itself.
	Copies [2]uint
	// Side is what the run counts for. In a control pair the old arm runs for both sides,
	// so that no arm may let anything depend on it.
	Side int
}

// build is the number of the build, of n, that the arm of one side takes.
func (v Variation) build(side, n int) int { return int(v.Builds[side] % uint(n)) }

// maxPad is up to how many bytes the environment grows: a page, in which every alignment
// occurs.
const maxPad = 4096

// controlEvery is in how many pairs one is a control.
const controlEvery = 8

// A deal is how one pair is made: whether it is a control, which run comes first, and
// what both have in common.
type deal struct {
	control  bool
	newFirst bool
	vary     Variation
}

// letters are the two letters of the pair in [perf.Comparison.Order].
func (d deal) letters() string {
	letters := []string{"AB", "BA", "ab", "ba"}
	i := 0
	if d.newFirst {
		i++
	}
	if d.control {
		i += 2
	}
	return letters[i]
}

// A dealer deals the pairs of one workload. What it deals depends on the seed and on the
// name of the workload alone, so that a seed replays the order whatever was measured.
type dealer struct {
	source  *rand.Rand
	every   int // one pair in so many is a control; 0: none
	left    int // pairs of this block that are still to come
	control int // the one of the block that is a control, counted by left
}

// newDealer returns the dealer of the workload called name. ChaCha8, because the coin
// that decides the order of a pair must not be guessable from the ones before.
func newDealer(seed uint64, name string, every int) *dealer {
	var key [8]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return &dealer{source: rand.New(rand.NewChaCha8(sha256.Sum256(append(key[:], name...)))), every: every}
}

// next deals a pair. Controls stand at a random place of each block, so that there is a
// known number of them and nothing periodic can hide from them.
func (d *dealer) next() deal {
	var out deal
	if d.every > 0 {
		if d.left == 0 {
			d.left, d.control = d.every, d.source.IntN(d.every)
		}
		d.left--
		out.control = d.left == d.control
	}
	out.newFirst = d.source.IntN(2) == 1
	out.vary.Pad = d.source.IntN(maxPad)
	out.vary.Path = uint(d.source.Uint32())
	out.vary.Builds = [2]uint{uint(d.source.Uint32()), uint(d.source.Uint32())}
	out.vary.Copies = [2]uint{uint(d.source.Uint32()), uint(d.source.Uint32())}
	return out
}
