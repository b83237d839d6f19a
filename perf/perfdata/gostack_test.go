package perfdata

import (
	"debug/elf"
	"slices"
	"testing"
)

// TestGoStacksEnd walks a stack of Go's runtime, on which something is left over that looks
// like a caller of the function that has switched to it.
func TestGoStacksEnd(t *testing.T) {
	o := mustOpenObject(t, compileGo(t))
	defer o.Close()
	table, err := loadUnwindTable(o)
	if err != nil {
		t.Fatal(err)
	}
	function := func(name string) elf.Symbol { return goSymbol(t, o, name) }
	leaf, left := function("runtime.usleep").Value, function("main.main").Value+1
	at := func(ip uint64) (*unwindTable, uint64) {
		if ip < table.base {
			return nil, 0
		}
		return table, 0
	}
	for name, want := range map[string]walkEnd{
		"runtime.morestack": walkSwitched, "runtime.mcall": walkSwitched, "runtime.systemstack": walkSwitched,
		"runtime.asmcgocall": walkSwitched, "runtime.goexit": walkRoot, "runtime.rt0_go": walkRoot,
	} {
		f := function(name)
		code, err := codeAt(o.elf, f.Value, f.Value+f.Size)
		if err != nil || code == nil {
			t.Fatalf("%s: no code, %v", name, err)
		}
		from, _ := goEnds[name].span(code)
		call := f.Value + uint64(from) + 1
		words := []uint64{call + 1}
		for range 8 {
			words = append(words, left)
		}
		ips, end := newUnwinder().walk(nil, &registers{regRIP: leaf, regRSP: 0x1000}, newStack(0x1000, words...), at)
		if end != want || !slices.Equal(ips, []uint64{leaf, call}) {
			t.Errorf("%s: the walk is %x and ends: %v, want %x, %v", name, ips, end, []uint64{leaf, call}, want)
		}
		// Before the switch, it has its callers like any function.
		if from > 0 {
			if r := newUnwinder().lookup(table, f.Value); r == nil || r.rule.regs[regRIP].kind == ruleUndefined {
				t.Errorf("%s: nothing is said of its begin", name)
			}
		}
	}
	if n := len(table.fdes); !slices.IsSortedFunc(table.fdes, func(a, b fde) int { return int(int64(a.start) - int64(b.start)) }) {
		t.Errorf("the %d functions are not in order", n)
	}
	for i, f := range table.fdes[1:] {
		if before := table.fdes[i]; before.start+before.size > f.start {
			t.Errorf("the functions at %#x and at %#x overlap", before.start, f.start)
		}
	}
}

// goSymbol is the symbol of a function of a Go program.
func goSymbol(t *testing.T, o *object, name string) elf.Symbol {
	t.Helper()
	symbols, err := o.elf.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(symbols, func(s elf.Symbol) bool { return s.Name == name || s.Name == name+".abi0" })
	if i < 0 {
		t.Fatalf("the program has no %s", name)
	}
	return symbols[i]
}

// TestGoInjectedCalls walks through functions that a handler of signals has made a goroutine
// call, at the first instruction of another: that is what they return to. One byte before it
// another function ends.
func TestGoInjectedCalls(t *testing.T) {
	o := mustOpenObject(t, compileGo(t))
	defer o.Close()
	table, err := loadUnwindTable(o)
	if err != nil {
		t.Fatal(err)
	}
	interrupted, caller, root := goSymbol(t, o, "main.recurse").Value, goSymbol(t, o, "main.main").Value, goSymbol(t, o, "runtime.goexit").Value
	at := func(ip uint64) (*unwindTable, uint64) {
		if ip < table.base {
			return nil, 0
		}
		return table, 0
	}
	for name := range goInjected {
		f := goSymbol(t, o, name)
		stack := newStack(0x1000, interrupted, caller+1, root+1)
		ips, end := newUnwinder().walk(nil, &registers{regRIP: f.Value, regRSP: 0x1000}, stack, at)
		if want := []uint64{f.Value, interrupted, caller, root}; end != walkRoot || !slices.Equal(ips, want) {
			t.Errorf("%s: the walk is %x and ends: %v, want %x", name, ips, end, want)
		}
	}
}
