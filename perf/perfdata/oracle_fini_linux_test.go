package perfdata

import (
	"slices"
	"testing"
)

// TestWalksThroughUndescribedEnd holds both walks through the function that ends a program
// and one that it calls, which nothing describes, against what gdb finds at its first instruction: there the return
// address is the first word of the stack. Further in, gdb takes the frame pointer that the
// function has saved for a caller.
func TestWalksThroughUndescribedEnd(t *testing.T) {
	t.Parallel()
	s := stepThrough(t, compileProgram(t, "gcc", "forms.c", "-O2", "-g", "-fomit-frame-pointer"), "__do_global_dtors_aux:30:1", "deregister_tm_clones:5:1")
	at, u, second := s.mapped(t), newUnwinder(), newSecondWalk(t)
	callers := s.steps[0].chain[1:]
	if len(callers) == 0 {
		t.Fatal("gdb finds no caller at the function's first instruction")
	}
	through := 0
	for i, step := range s.steps {
		ips, end := u.walk(nil, &step.regs, step.stack, at)
		byCode, root := second.walk(step.regs, step.stack, s.find)
		inProgram := s.find(step.regs[regRIP]).image.path == s.program
		least := 1 // of this function, and of those that it calls
		if i >= 30 {
			least = 2
		}
		if first := len(ips) - len(callers); first < least || !sameChain(ips[first:], callers) {
			t.Errorf("at %#x the walk ends (%v) with%s, gdb has the callers%s", step.regs[regRIP], end, hexChain(ips), hexChain(callers))
		}
		if !slices.Equal(byCode, ips) || !root {
			t.Errorf("at %#x the second walk has%s, to the root: %v; want%s", step.regs[regRIP], hexChain(byCode), root, hexChain(ips))
		}
		if !inProgram {
			through++
		}
	}
	if through == 0 {
		t.Error("no step is in what the function calls")
	}
}
