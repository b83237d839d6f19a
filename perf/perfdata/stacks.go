package perfdata

import "slices"

// A site is one address of a stack, in what it is mapped from.
type site struct {
	image   *image // nil: it is in nothing
	address uint64 // in the image; of a caller, within the call and not behind it
}

// An owner is who a sample is of. Fields that are not asked for are zero.
type owner struct {
	comm     string
	pid, tid uint32
	cpu      uint32
}

// stacks are the stacks of a recording with what they cost, as a tree: they share most of
// their callers, and what they share is kept once.
type stacks struct {
	sites   []site
	siteID  map[site]int32
	owners  []owner
	ownerID map[owner]int32
	nodes   []node
	child   map[uint64]int32 // by parent and site
}

// A node is a site with all its callers.
type node struct {
	parent int32 // -1: the owner whose id is in site
	site   int32
	count  int64 // samples that end here
	weight int64 // what these cost
}

func newStacks() *stacks {
	return &stacks{siteID: map[site]int32{}, ownerID: map[owner]int32{}, child: map[uint64]int32{}}
}

func (s *stacks) siteOf(f site) int32 {
	id, ok := s.siteID[f]
	if !ok {
		id = int32(len(s.sites))
		s.sites = append(s.sites, f)
		s.siteID[f] = id
	}
	return id
}

func (s *stacks) ownerOf(o owner) int32 {
	id, ok := s.ownerID[o]
	if !ok {
		id = int32(len(s.owners))
		s.owners = append(s.owners, o)
		s.ownerID[o] = id
	}
	return id
}

func (s *stacks) childOf(parent, site int32) int32 {
	key := uint64(uint32(parent))<<32 | uint64(uint32(site))
	id, ok := s.child[key]
	if !ok {
		id = int32(len(s.nodes))
		s.nodes = append(s.nodes, node{parent: parent, site: site})
		s.child[key] = id
	}
	return id
}

// at returns the node of a stack: its sites from the innermost to the outermost.
func (s *stacks) at(owner int32, innermostFirst []int32) int32 {
	at := s.childOf(-1, owner)
	for _, f := range slices.Backward(innermostFirst) {
		at = s.childOf(at, f)
	}
	return at
}

// add counts a sample.
func (s *stacks) add(at int32, weight int64) {
	s.nodes[at].count++
	s.nodes[at].weight += weight
}

// path appends the sites of a node to into, from the innermost to the outermost, and
// returns the owner.
func (s *stacks) path(at int32, into []int32) (owner int32, innermostFirst []int32) {
	for s.nodes[at].parent >= 0 {
		into = append(into, s.nodes[at].site)
		at = s.nodes[at].parent
	}
	return s.nodes[at].site, into
}
