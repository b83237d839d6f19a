package perfdata

import (
	"bytes"
	"debug/elf"
	"strings"
	"testing"
)

// TestStubSteps compares the rows for the stubs of a program, in each form that GNU ld
// writes them, with those that ld itself has put into .eh_frame.
func TestStubSteps(t *testing.T) {
	for _, flags := range []string{"-Wl,-z,lazy", "-Wl,-z,now", "-fcf-protection=full -Wl,-z,ibtplt -Wl,-z,lazy"} {
		t.Run(flags, func(t *testing.T) {
			program := compileProgram(t, "gcc", "forms.c", append(strings.Fields(flags), "-O2")...)
			o := mustOpenObject(t, program)
			defer o.Close()
			linkers, err := loadUnwindTable(o)
			if err != nil {
				t.Fatal(err)
			}
			stubs, err := stubFrames(o)
			if err != nil {
				t.Fatal(err)
			}
			ours, err := tableOf(stubs)
			if err != nil {
				t.Fatal(err)
			}
			one, other := newUnwinder(), newUnwinder()
			places := 0
			for _, f := range ours.fdes {
				for pc := uint64(f.start); pc < uint64(f.start)+uint64(f.size); pc++ {
					// The places at which no instruction begins are compared too.
					got, want := frameAt(t, one, ours, pc), frameAt(t, other, linkers, pc)
					if places++; got != want {
						t.Errorf("at %#x: rsp+%d, and ld says rsp+%d", pc, got, want)
					}
				}
			}
			if places < 16 {
				t.Errorf("only %d places", places)
			}
		})
	}
}

// frameAt is how far above rsp the frame is at pc.
func frameAt(t *testing.T, u *unwinder, table *unwindTable, pc uint64) uint64 {
	t.Helper()
	p := u.lookup(table, pc)
	if p == nil {
		t.Fatalf("nothing at %#x", pc)
	}
	f := frame{known: allRegisters, regs: registers{regRSP: 0x1000, regRIP: pc}}
	cfa, err := f.cfa(p, memory{})
	if err != nil {
		t.Fatal(err)
	}
	return cfa - 0x1000
}

// TestStubsThatNoLinkerDescribes: a static program's, and those of LLVM's linker.
func TestStubsThatNoLinkerDescribes(t *testing.T) {
	for name, program := range map[string]func() string{
		"static": func() string { return compileProgram(t, "gcc", "forms.c", "-static", "-O2") },
		"rust":   func() string { return compileProgram(t, "rustc", "forms.rs", "-O") },
	} {
		o := mustOpenObject(t, program())
		defer o.Close()
		table, err := loadUnwindTable(o)
		if err != nil {
			t.Fatal(err)
		}
		plt := o.elf.Section(".plt")
		if plt == nil || plt.Type != elf.SHT_PROGBITS {
			t.Errorf("%s: has no stubs", name)
			continue
		}
		if got := frameAt(t, newUnwinder(), table, plt.Addr+16); got != wordSize {
			t.Errorf("%s: rsp+%d at the second stub, want rsp+8", name, got)
		}
	}
}

// TestInitAndFini checks the frames in what runs before and after a program: code of the C
// library in two parts, which nothing describes.
func TestInitAndFini(t *testing.T) {
	o := mustOpenObject(t, compileProgram(t, "gcc", "forms.c", "-O2"))
	defer o.Close()
	table, err := loadUnwindTable(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".init", ".fini"} {
		s := o.elf.Section(name)
		if s == nil {
			t.Fatalf("no %s", name)
		}
		sub, ret := s.Addr, s.Addr+s.Size-1
		if code, err := s.Data(); err != nil || bytes.HasPrefix(code, endBranch) {
			sub += uint64(len(endBranch))
		}
		for _, tc := range []struct{ pc, above uint64 }{{s.Addr, 8}, {sub, 8}, {sub + 4, 16}, {ret - 4, 16}, {ret, 8}} {
			if got := frameAt(t, newUnwinder(), table, tc.pc); got != tc.above {
				t.Errorf("%s+%#x: the frame is at rsp+%d, want rsp+%d", name, tc.pc-s.Addr, got, tc.above)
			}
		}
	}
	for _, other := range []string{"", "\xc3", "\x48\x83\xec\x08\xc3", "\x48\x83\xec\x18\x48\x83\xc4\x18\xc3", "\x50\x58\x90"} {
		if steps := splitSteps([]byte(other)); steps != nil {
			t.Errorf("%x has the steps %x", other, steps)
		}
	}
	if steps := splitSteps([]byte("\x50\xe8\x00\x00\x00\x00\x58\xc3")); len(steps) == 0 { // musl's
		t.Error("no steps of push and pop")
	}
}
