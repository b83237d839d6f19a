package perfdata

import "slices"

// Kinds of differences. Each is one that was looked at, and is told from others by who is
// right in it.
const (
	// perf (6.1, with libunwind) leaves frames out or gives up, mostly in processes that
	// have begun another program; here the stack goes to the function that a thread begins
	// with, and has all that perf has.
	perfLosesFrames = "perf loses frames"
	// perf looks a caller in a chain of frame pointers up where it returns to, which is
	// another function where the call was the last instruction; so is it where the code
	// keeps no frame pointers and the chain leads through whatever lay there. Both names
	// are right of their address, by the symbols of the file.
	afterTheCall = "perf names what follows a call"

	otherDifference = "OTHER"
)

// perfIsWrong are the differences that are left out of the share: it is known of each
// sample that perf's stack is not the right one, or that it names something else.
var perfIsWrong = map[string]bool{perfLosesFrames: true, afterTheCall: true}

// roots are what threads begin with.
var roots = []string{"_start", "__clone3", "clone3", "__GI___clone3", "__clone", "_rt0_amd64_linux", "__restore_rt"}

// difference says in which way two stacks differ; empty: in none.
func (s *oracleSymbols) difference(o, p oneSample) string {
	if len(o.frames) > len(p.frames) && len(p.frames) > 0 && s.hasAll(o.frames, p.frames) {
		last := plainSymbol(o.frames[len(o.frames)-1].name)
		if slices.Contains(roots, last) || len(last) > 8 && last[:8] == "runtime." { // of Go perf unwinds nothing
			return perfLosesFrames
		}
		return otherDifference
	}
	if len(o.frames) != len(p.frames) {
		return otherDifference
	}
	class := ""
	for i := range o.frames {
		switch x, y := o.frames[i], p.frames[i]; {
		case s.same(x, y):
		case x.ip == y.ip && s.followsCall(x, y):
			class = afterTheCall
		default:
			return otherDifference
		}
	}
	return class
}

// same reports whether two frames are of the same function. perf and this package may
// choose different names of it.
func (s *oracleSymbols) same(o, p oracleFrame) bool {
	if o.ip != p.ip {
		return false
	}
	if plainSymbol(o.name) == plainSymbol(p.name) || o.name == unknownName && p.name == namelessPLT {
		return true
	}
	if o.handlerReturn() { // perf looks it up one byte before
		return s.names(o.module, o.name, o.address) && s.names(o.module, p.name, o.address-1)
	}
	return s.aliases(o.module, o.name, p.name, o.address)
}

// followsCall reports whether the frame is of a caller, ours has the name of what called,
// and perf's has the name of what the call returns to.
func (s *oracleSymbols) followsCall(o, p oracleFrame) bool {
	return o.caller() && s.names(o.module, o.name, o.address) && s.names(o.module, p.name, o.address+1)
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
