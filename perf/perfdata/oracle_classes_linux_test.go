package perfdata

import (
	"strings"
)

// Kinds of differences. Each is one that was looked at, and that a sample is of it is
// found by something else than what is tested: the symbols of the files as debug/elf reads
// them, the code of a stub, and for walks through dumped stacks a second one by what Delve
// makes of the call frame information. gdb says the same of those it is asked about.
const (
	// perf (6.1, with libunwind) leaves frames out or gives up, mostly in processes that
	// have begun another program, and in Go's, whose .debug_frame it does not read. All
	// frames that it has are ours.
	perfLosesFrames = "perf loses frames"
	// perf takes something else that lies on the stack for a return address: where
	// functions begin and end, and in code that the linker has made.
	perfStrays = "perf strays"
	// Both end where the information about the code does: while the C++ library moves from a
	// throw to its handler, and the stack is neither one's. What lies there for the next
	// address is none of any code, and perf shows it.
	perfShowsNoCode = "perf shows an address without code"
	// The kernel could not copy the stack, since it was not in memory. The only address of
	// the program that is known is the sample's own, which perf does not show.
	perfShowsNothing = "perf shows no address without a dump"
	// perf looks a caller in a chain of frame pointers up where it returns to, which is
	// another function where the call was the last instruction; so is it where the code
	// keeps no frame pointers and the chain leads through whatever lay there. Both names
	// are right of their address.
	afterTheCall = "perf names what follows a call"
	// perf counts the stubs of a procedure linkage table in the order of their relocations,
	// which is not that of newer linkers; where they are more than it has counted, it gives
	// them no name, or that of the function before the table. Ours is what the stub's code
	// jumps to.
	anotherStub = "perf names another stub"

	otherDifference = "OTHER"
)

// difference says in which way two stacks differ; empty: in none.
func (s *oracleSymbols) difference(o, p oneSample) string {
	if d := o.dump; d != nil && len(d.stack) == 0 && len(p.frames) == 0 && len(o.frames) == 1 {
		return perfShowsNothing
	}
	class, same := "", 0
	for ; same < min(len(o.frames), len(p.frames)) && o.frames[same].ip == p.frames[same].ip; same++ {
		if c := s.nameDifference(o.frames[same], p.frames[same]); c != "" && class != otherDifference {
			class = c
		}
	}
	if class == otherDifference || same == len(o.frames) && same == len(p.frames) {
		return class
	}
	if d := o.dump; d == nil || !d.agreed() {
		return otherDifference
	}
	for _, f := range o.frames[same:] { // perf has not looked these addresses up
		if !s.named(f) {
			return otherDifference
		}
	}
	switch {
	case s.hasAll(o.frames[same:], p.frames[same:]):
		return perfLosesFrames
	case o.dump.root:
		return perfStrays
	case same == len(o.frames) && same+1 == len(p.frames) && o.dump.nowhere(p.frames[same]):
		return perfShowsNoCode
	}
	return otherDifference // perf may be the one that goes on
}

// nowhere reports whether a frame of perf's is an address at which the process has nothing.
func (d *oracleDump) nowhere(f oracleFrame) bool {
	return f.module == unknownName && d.find(f.ip) == nil && d.find(f.ip+1) == nil // it shows callers one byte before
}

// nameDifference says in which way the names of one address differ.
func (s *oracleSymbols) nameDifference(o, p oracleFrame) string {
	switch {
	case s.same(o, p):
		return ""
	case s.stub(o) && (o.name != unknownName || strings.HasSuffix(p.name, namelessPLT)):
		return anotherStub
	case o.caller() && s.named(o) && s.names(o.module, p.name, o.address+1):
		return afterTheCall
	}
	return otherDifference
}

// named reports whether the name of a frame of ours is the right one.
func (s *oracleSymbols) named(o oracleFrame) bool {
	return s.names(o.module, o.name, o.address) || s.stub(o)
}

// stub reports whether the frame is in a stub, and has the name of what that calls.
func (s *oracleSymbols) stub(o oracleFrame) bool {
	target, ok := stubTarget(o.module, o.address)
	return ok && (o.name == target+pltSuffix || target == "" && o.name == unknownName)
}

// same reports whether two frames are of the same function. perf and this package may
// choose different names of it.
func (s *oracleSymbols) same(o, p oracleFrame) bool {
	if o.ip != p.ip {
		return false
	}
	if plainSymbol(o.name) == plainSymbol(p.name) {
		return true
	}
	if o.handlerReturn() { // perf looks it up one byte before
		return s.names(o.module, o.name, o.address) && s.names(o.module, p.name, o.address-1)
	}
	return s.aliases(o.module, o.name, p.name, o.address)
}

// hasAll reports whether all frames of p stand in o, in their order.
func (s *oracleSymbols) hasAll(o, p []oracleFrame) bool {
	for _, f := range o {
		if len(p) > 0 && s.same(f, p[0]) {
			p = p[1:]
		}
	}
	return len(p) == 0
}
