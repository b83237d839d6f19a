package perfdata

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

func newStack(base uint64, words ...uint64) memory {
	m := memory{base: base}
	for _, w := range words {
		m.data = binary.LittleEndian.AppendUint64(m.data, w)
	}
	return m
}

// walkCode are functions of every kind, for hand-made walks. They lie in one object, which
// is mapped at codeBias; the object's text goes up to codeEnd.
const (
	codeBias = 0x550000000000
	codeEnd  = 0x10000

	plainFunction  = 0x1000 // the frame is at rsp+16
	rbpFunction    = 0x1100 // pushes rbp; the frame is at rbp+16
	savingFunction = 0x1200 // saves rbx at the frame-24 and rbp at the frame-16, at rsp+24
	rbxFunction    = 0x1300 // the frame is at rbx+16
	rootFunction   = 0x1400 // has no caller
	signalFunction = 0x1500 // what a signal handler returns to, as glibc writes it
	zeroFunction   = 0x1600 // the frame is at rsp: it does not grow
	plainAgain     = 0x1700 // as plainFunction, and right behind it another rule
	nextFunction   = 0x1710
	linkFunction   = 0x1800 // the return address is in rdi, the frame at rsp
	lostFunction   = 0x1900 // the return address is in the memory at an expression that fails
	noTable        = 0x8000 // text that has no table
)

// walkTable makes the table of the functions above.
func walkTable(t testing.TB) *unwindTable {
	t.Helper()
	var b frameBuilder
	usual := b.cie(usualCIE...)
	signal := b.cie(1, 'z', 'R', 'S', 0, 1, 0x78, regRIP, 1, pointerUdata4)
	add := func(cie int, start uint32, steps ...byte) { b.fde(cie, join(at4(start, 16), steps)...) }
	add(usual, plainFunction, cfaDefCFAOffset, 16)
	add(usual, rbpFunction, cfaDefCFA, regRBP, 16, cfaOffset|regRBP, 2)
	add(usual, savingFunction, cfaDefCFAOffset, 24, cfaOffset|regRBP, 2, cfaOffset|3, 3)
	add(usual, rbxFunction, cfaDefCFA, 3, 16)
	add(usual, rootFunction, cfaUndefined, regRIP)
	// As glibc: the frame is what rsp was, and the registers lie at rsp+offset.
	add(signal, signalFunction, cfaDefCFAExpression, 3, 0x77, 0x18, 0x06,
		cfaExpression, regRSP, 2, 0x77, 0x18, cfaExpression, regRIP, 2, 0x77, 0x20, cfaExpression, 3, 2, 0x77, 0x28)
	add(usual, zeroFunction, cfaDefCFAOffset, 0, cfaOffset|regRIP, 0)
	add(usual, plainAgain, cfaDefCFAOffset, 16)
	add(usual, nextFunction, cfaDefCFAOffset, 64)
	add(usual, linkFunction, cfaDefCFAOffset, 8, cfaRegister, regRIP, 5)
	add(usual, lostFunction, cfaExpression, regRIP, 2, 0x70, 0x00)
	table := &unwindTable{}
	if err := table.add(b.section(), addressRange{0, codeEnd}); err != nil {
		t.Fatal(err)
	}
	return table
}

// code is the mapped address of a place in a function.
func code(function, offset uint64) uint64 { return codeBias + function + offset }

func TestWalk(t *testing.T) {
	table := walkTable(t)
	at := func(ip uint64) (*unwindTable, uint64) {
		switch {
		case ip < codeBias || ip >= codeBias+codeEnd:
			return nil, 0
		case ip >= codeBias+noTable:
			return noUnwindTable, 0
		}
		return table, codeBias
	}
	const sp = 0x7ffc0000
	root := code(rootFunction, 5)
	for _, test := range []struct {
		name  string
		regs  registers
		stack []uint64
		want  []uint64
		end   walkEnd
	}{
		{"through rsp",
			registers{regRIP: code(plainFunction, 3), regRSP: sp},
			[]uint64{0, code(plainFunction, 4), 0, root},
			[]uint64{code(plainFunction, 3), code(plainFunction, 3), root - 1}, walkRoot},
		{"through rbp",
			registers{regRIP: code(rbpFunction, 3), regRSP: sp, regRBP: sp + 8},
			[]uint64{0, sp + 32, code(rbpFunction, 9), 0, 0, root},
			[]uint64{code(rbpFunction, 3), code(rbpFunction, 8), root - 1}, walkRoot},
		{"through a register that the callee saved",
			registers{regRIP: code(savingFunction, 3), regRSP: sp, 3: 0xdead},
			[]uint64{sp + 40, 0, code(rbxFunction, 2), 0, 0, 0, root},
			[]uint64{code(savingFunction, 3), code(rbxFunction, 1), root - 1}, walkRoot},
		{"a saved register whose place has been given up keeps its value",
			// rsp is one word higher than the rule for the last instructions says.
			registers{regRIP: code(rbpFunction, 3), regRSP: sp, regRBP: sp - 8},
			[]uint64{root, 0},
			[]uint64{code(rbpFunction, 3), root - 1}, walkRoot},
		{"the last byte of a function that never returns",
			registers{regRIP: code(plainFunction, 0), regRSP: sp},
			[]uint64{0, code(nextFunction, 0), 0, root},
			[]uint64{code(plainFunction, 0), code(nextFunction, 0) - 1, root - 1}, walkRoot},
		{"a signal: the interrupted address is looked up as it is",
			registers{regRIP: code(plainFunction, 3), regRSP: sp},
			// The handler returns to signalFunction with rsp at sp+16: there lie rsp at
			// +0x18, rip at +0x20 and rbx at +0x28.
			[]uint64{0, code(signalFunction, 1), 0, 0, 0, sp + 64, code(rbxFunction, 0), sp + 64, 0, root},
			[]uint64{code(plainFunction, 3), code(signalFunction, 0), code(rbxFunction, 0), root - 1}, walkRoot},
		{"a signal on a stack of its own: what it interrupted lies elsewhere",
			registers{regRIP: code(signalFunction, 0), regRSP: sp},
			[]uint64{0, 0, 0, 0x1000, code(plainFunction, 0), 0},
			[]uint64{code(signalFunction, 0), code(plainFunction, 0)}, walkLost},
		{"in the system call with which a handler returns",
			registers{regRIP: code(signalFunction, 16), regRSP: sp, regRBP: sp},
			[]uint64{root, root, 0, 0x1000, code(plainFunction, 0), 0},
			[]uint64{code(signalFunction, 16), code(plainFunction, 0)}, walkLost},
		{"signals that interrupt each other for ever",
			registers{regRIP: code(signalFunction, 0), regRSP: sp},
			[]uint64{0, 0, 0, sp, code(signalFunction, 0), 0},
			slices.Repeat([]uint64{code(signalFunction, 0)}, 1+maxSignals), walkStuck},
		{"return address zero",
			registers{regRIP: code(plainFunction, 3), regRSP: sp}, []uint64{0, 0}, []uint64{code(plainFunction, 3)}, walkRoot},
		{"the stack ends before the return address",
			registers{regRIP: code(plainFunction, 3), regRSP: sp}, []uint64{0}, []uint64{code(plainFunction, 3)}, walkTruncated},
		{"no stack at all",
			registers{regRIP: code(plainFunction, 3), regRSP: sp}, nil, []uint64{code(plainFunction, 3)}, walkTruncated},
		{"the frame lies below the stack",
			registers{regRIP: code(rbpFunction, 3), regRSP: sp, regRBP: 0x1000}, []uint64{0, 0}, []uint64{code(rbpFunction, 3)}, walkLost},
		{"a saved register beyond the stack is lost, and with it who needs it",
			registers{regRIP: code(rbxFunction, 3), regRSP: sp, 3: sp + 8},
			[]uint64{0, 0, code(savingFunction, 3), 0, 0, code(rbxFunction, 3)},
			[]uint64{code(rbxFunction, 3), code(savingFunction, 2), code(rbxFunction, 2)}, walkLost},
		{"return address in no text",
			registers{regRIP: code(plainFunction, 3), regRSP: sp}, []uint64{0, 0x1234}, []uint64{code(plainFunction, 3)}, walkLost},
		{"a frame that does not grow",
			registers{regRIP: code(zeroFunction, 3), regRSP: sp}, []uint64{code(zeroFunction, 3)}, []uint64{code(zeroFunction, 3)}, walkStuck},
		{"return address in a register",
			registers{regRIP: code(linkFunction, 3), regRSP: sp, 5: root}, []uint64{0}, []uint64{code(linkFunction, 3), root - 1}, walkRoot},
		{"an expression that fails",
			registers{regRIP: code(lostFunction, 3), regRSP: sp}, []uint64{root}, []uint64{code(lostFunction, 3)}, walkLost},
		{"text without a table, with a frame pointer",
			registers{regRIP: code(noTable, 0), regRSP: sp, regRBP: sp},
			[]uint64{sp + 24, code(noTable, 9), 0, 0, root},
			[]uint64{code(noTable, 0), code(noTable, 8), root - 1}, walkRoot},
		{"text without a table, up to a frame pointer of zero",
			registers{regRIP: code(noTable, 0), regRSP: sp, regRBP: sp},
			[]uint64{0, code(noTable, 9), 0},
			[]uint64{code(noTable, 0), code(noTable, 8)}, walkRoot},
		{"a gap in the table, with a frame pointer",
			registers{regRIP: code(0x2000, 0), regRSP: sp, regRBP: sp}, []uint64{0, root}, []uint64{code(0x2000, 0), root - 1}, walkRoot},
		{"rbp is zero in a leaf: that says nothing",
			registers{regRIP: code(noTable, 0), regRSP: sp}, []uint64{root}, []uint64{code(noTable, 0)}, walkNoRule},
		{"rbp below the stack pointer",
			registers{regRIP: code(noTable, 0), regRSP: sp, regRBP: sp - 16}, []uint64{0, root}, []uint64{code(noTable, 0)}, walkNoRule},
		{"rbp beyond the stack",
			registers{regRIP: code(noTable, 0), regRSP: sp, regRBP: sp + 8}, []uint64{0, root}, []uint64{code(noTable, 0)}, walkNoRule},
		{"rbp points to what is no frame",
			registers{regRIP: code(noTable, 0), regRSP: sp, regRBP: sp}, []uint64{0, 0x1234}, []uint64{code(noTable, 0)}, walkNoRule},
		{"rbp at the end of all addresses",
			registers{regRIP: code(noTable, 0), regRSP: sp, regRBP: 1<<64 - 8}, []uint64{0, root}, []uint64{code(noTable, 0)}, walkNoRule},
		{"a frame pointer that points to itself",
			registers{regRIP: code(noTable, 0), regRSP: sp, regRBP: sp}, []uint64{sp, code(noTable, 9)},
			[]uint64{code(noTable, 0), code(noTable, 8)}, walkNoRule},
		{"an address that is mapped nowhere",
			registers{regRIP: 0x10, regRSP: sp}, []uint64{root}, []uint64{0x10}, walkNoRule},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := test.regs
			got, end := newUnwinder().walk([]uint64{7}, &test.regs, newStack(sp, test.stack...), at)
			if want := append([]uint64{7}, test.want...); !slices.Equal(got, want) || end != test.end {
				t.Errorf("got %s, %v\nwant%s, %v", hexChain(got), end, hexChain(want), test.end)
			}
			if test.regs != before {
				t.Error("the sample's registers have been changed")
			}
		})
	}
}

// TestWalkMemory: two objects at the same addresses, as in two processes, are kept apart
// by an unwinder that remembers.
func TestWalkMemory(t *testing.T) {
	one, other := walkTable(t), &unwindTable{}
	var b frameBuilder
	b.fde(b.cie(usualCIE...), join(at4(plainFunction, 16), []byte{cfaDefCFAOffset, 24})...)
	if err := other.add(b.section(), addressRange{0, codeEnd}); err != nil {
		t.Fatal(err)
	}
	u := newUnwinder()
	regs := registers{regRIP: code(plainFunction, 3), regRSP: 0x1000}
	stack := newStack(0x1000, 0, code(rootFunction, 1), code(rootFunction, 5))
	for range 3 {
		for table, want := range map[*unwindTable]uint64{one: code(rootFunction, 0), other: code(rootFunction, 4)} {
			ips, _ := u.walk(nil, &regs, stack, func(ip uint64) (*unwindTable, uint64) { return table, codeBias })
			if len(ips) != 2 || ips[1] != want {
				t.Errorf("%s, want the caller at %x", hexChain(ips), want)
			}
		}
	}
}

// TestWalkDeep: a chain as deep as the largest stack allows, and the bound on it.
func TestWalkDeep(t *testing.T) {
	table := walkTable(t)
	at := func(uint64) (*unwindTable, uint64) { return table, codeBias }
	regs := registers{regRIP: code(linkFunction, 3), regRSP: 0x1000, 5: code(linkFunction, 3)}
	ips, end := newUnwinder().walk(nil, &regs, memory{base: 0x1000}, at)
	if len(ips) != maxFrames+1 || end != walkTooDeep {
		t.Errorf("%d frames, %v", len(ips), end)
	}
	words := make([]uint64, 1<<13)
	for i := range words {
		words[i] = code(plainFunction, 3)
	}
	regs = registers{regRIP: code(plainFunction, 3), regRSP: 0x1000}
	ips, end = newUnwinder().walk(nil, &regs, newStack(0x1000, words...), at)
	if len(ips) != 1+len(words)/2 || end != walkTruncated {
		t.Errorf("%d frames of %d words, %v", len(ips), len(words), end)
	}
}

// TestManyRules: an object with more different rules than are kept is used as far as that.
func TestManyRules(t *testing.T) {
	var b frameBuilder
	steps := at4(0x1000, 0x100000)
	for i := range maxPlans + 2 {
		steps = append(append(steps, cfaDefCFAOffset), binary.AppendUvarint(nil, uint64(i))...)
		steps = append(steps, cfaAdvanceLoc|1)
	}
	b.fde(b.cie(usualCIE...), steps...)
	table, err := tableOf(b.section())
	if err != nil {
		t.Fatal(err)
	}
	u := newUnwinder()
	if p := u.lookup(table, 0x1000+maxPlans-1); p == nil || p.refused || p.cfaOffset != maxPlans-1 {
		t.Errorf("the last that is kept: %+v", p)
	}
	if p := u.lookup(table, 0x1000+maxPlans); p == nil || !p.refused {
		t.Errorf("one more: %+v, want it refused", p)
	}
	if u.fault == nil || !strings.Contains(u.fault.Error(), ".eh_frame: entry at offset 0x16: has one more different rule than the 65536") {
		t.Errorf("fault %v", u.fault)
	}
}

// TestManyRows: so is one with more rows than are kept. Its functions cost nothing more.
func TestManyRows(t *testing.T) {
	var b frameBuilder
	steps := at4(0x1000, 0x800000)
	for i := range maxRows + 2 {
		steps = append(steps, cfaDefCFAOffset, byte(8+i%2*8), cfaAdvanceLoc|1)
	}
	cie := b.cie(usualCIE...)
	b.fde(cie, steps...)
	b.fde(cie, at4(0x1000000, 16)...)
	table, err := tableOf(b.section())
	if err != nil {
		t.Fatal(err)
	}
	u := newUnwinder()
	if p := u.lookup(table, 0x1000+maxRows-1); p == nil || p.refused {
		t.Errorf("the last that is kept: %+v", p)
	}
	for _, pc := range []uint64{0x1000 + maxRows, 0x1000000} {
		if p := u.lookup(table, pc); p == nil || !p.refused {
			t.Errorf("%#x: %+v, want it refused", pc, p)
		}
	}
	if n := len(u.tables[table].rows); n > maxRows+2 {
		t.Errorf("%d rows", n)
	}
	if u.fault == nil || !strings.Contains(u.fault.Error(), ".eh_frame: entry at offset 0x16: has one more row than the 2097152") {
		t.Errorf("fault %v", u.fault)
	}
}

// TestManyFunctions: what stands behind the last function that is indexed is not read.
func TestManyFunctions(t *testing.T) {
	debug := frameBuilder{debug: true}
	cie := debug.cie(4, 0, 8, 0, 1, 0x78, regRIP, cfaDefCFA, regRSP, 8)
	for i := range maxFunctions + 2 {
		body := binary.LittleEndian.AppendUint64(make([]byte, 0, 16), 0x1000+uint64(i)*16)
		debug.fde(cie, binary.LittleEndian.AppendUint64(body, 16)...)
	}
	table, err := tableOf(debug.section())
	if err == nil || !strings.Contains(err.Error(), ".debug_frame: entry at offset 0x3000012: is of one more function than the 2097152") {
		t.Errorf("error %v", err)
	}
	if n := len(table.fdes); n != maxFunctions {
		t.Errorf("%d functions, want %d", n, maxFunctions)
	}
}

// TestLongCommonEntry: one that goes on over what follows is refused, or else the functions
// of a section could have all of it read by each of them.
func TestLongCommonEntry(t *testing.T) {
	var b frameBuilder
	b.fde(b.cie(append(slices.Clone(usualCIE), make([]byte, maxCIESize)...)...), at4(0x1000, 16)...)
	if _, err := tableOf(b.section()); err == nil || !strings.Contains(err.Error(), "its common entry at offset 0x0 has 1046 bytes, more than the 1024") {
		t.Errorf("error %v", err)
	}
}

func TestWalkEndNames(t *testing.T) {
	seen := map[string]bool{}
	for e := walkRoot; e <= walkTooDeep; e++ {
		seen[e.String()] = true
	}
	if len(seen) != int(walkTooDeep)+1 || seen["walkEnd(0)"] {
		t.Errorf("names: %v", seen)
	}
	if got := (walkTooDeep + 1).String(); got != "walkEnd(8)" {
		t.Errorf("unknown: %q", got)
	}
}

func FuzzWalk(f *testing.F) {
	var b frameBuilder
	b.fde(b.cie(usualCIE...), join(at4(0x1000, 0x100), []byte{cfaDefCFAOffset, 24})...)
	f.Add(b.data, []byte{0x10, 0x10, 0, 0, 0, 0, 0, 0, 0x10, 0x10, 0, 0, 0, 0, 0, 0}, uint64(0x1010), uint64(0x2000), uint64(0x2008))
	f.Fuzz(func(t *testing.T, section, stack []byte, ip, sp, rbp uint64) {
		table, _ := tableOf((&frameBuilder{data: section}).section())
		regs := registers{regRIP: ip, regRSP: sp, regRBP: rbp, 3: rbp + 8, 12: sp + 16}
		ips, end := newUnwinder().walk(nil, &regs, memory{base: sp, data: stack}, func(ip uint64) (*unwindTable, uint64) {
			if ip >= 1<<20 {
				return nil, 0
			}
			return table, 0
		})
		if len(ips) == 0 || ips[0] != ip || len(ips) > maxFrames+1 || end > walkTooDeep {
			t.Errorf("%d frames, ended %v", len(ips), end)
		}
	})
}
