package perfdata

import (
	"slices"
	"testing"
)

// TestGDBOfEachInstruction has gdb walk dumps of each step through a function that keeps its
// frame pointer. Where that has just been popped, gdb reads it from below the stack. If it
// cannot, it has to be known not to say otherwise than the walk, which has what gdb finds in
// the live program.
func TestGDBOfEachInstruction(t *testing.T) {
	t.Parallel()
	s := stepThrough(t, compileProgram(t, "gcc", "forms.c", "-O1", "-g", "-fno-omit-frame-pointer"), "recurse:60:1")
	at, u, second := s.mapped(t), newUnwinder(), newSecondWalk(t)
	blind := newSecondWalk(t) // so that nothing is known to have been popped
	blind.files[s.program] = &secondFile{rules: map[uint64]*secondRule{}}
	var maps []mapping
	for _, m := range s.maps {
		maps = append(maps, *s.find(m.start))
	}
	var dumps []*oracleDump
	for _, step := range s.steps {
		ips, end := u.walk(nil, &step.regs, step.stack, at)
		if !sameChain(ips, step.chain) {
			t.Fatalf("the walk has%s, gdb of the live program%s", hexChain(ips), hexChain(step.chain))
		}
		d := oracleDump{regs: step.regs, stack: slices.Clone(step.stack.data), maps: maps, ips: ips, root: end == walkRoot, by: second}
		dumps = append(dumps, &d)
		if d.popped() {
			unknown := d
			unknown.by = blind
			dumps = append(dumps, &unknown)
		}
	}
	gaveUp := 0
	for i, gdb := range gdbWalks(t, dumps) {
		switch d := dumps[i]; {
		case gdb.cannot != "":
			t.Errorf("at %#x gdb cannot say: %s", d.regs[regRIP], gdb.cannot)
		case d.gdbAgrees(gdb.ips):
		case d.by == blind && d.gdbGivesUp(gdb):
			gaveUp++
		default:
			t.Errorf("at %#x gdb has%s, the walk%s", d.regs[regRIP], hexChain(gdb.ips), hexChain(d.ips))
		}
	}
	if gaveUp == 0 {
		t.Error("gdb never gives up")
	}
}
