package perfdata

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	delve "github.com/go-delve/delve/pkg/dwarf/frame"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// TestRulesAgreeWithDelve compares every row of every function of a C library, a C++
// library, a Rust program and a Go program with what the reader of the debugger Delve
// says at the same address: where the frame, the return address and each register are.
func TestRulesAgreeWithDelve(t *testing.T) {
	for name, path := range map[string]func(*testing.T) string{
		"libc":      func(t *testing.T) string { return systemLibrary(t, "libc.so.6") },
		"libstdc++": func(t *testing.T) string { return systemLibrary(t, "libstdc++.so.6") },
		"rust":      func(t *testing.T) string { return compileProgram(t, "rustc", "forms.rs", "-O", "-g") },
		"go":        compileGo,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkAgainstDelve(t, path(t))
		})
	}
}

// systemLibrary is the path of a library as the C compiler finds it.
func systemLibrary(t testing.TB, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), testenv.Tool(t, "gcc"), "-print-file-name="+name).Output()
	if err != nil {
		t.Fatal(err)
	}
	path, err := filepath.EvalSymlinks(strings.TrimSpace(string(out)))
	if err != nil {
		testenv.Missing(t, name, err.Error())
	}
	return path
}

func compileGo(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "forms")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, filepath.Join("testdata", "unwind", "forms.go"))
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if log, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, log)
	}
	return program
}

func checkAgainstDelve(t *testing.T, path string) {
	o := mustOpenObject(t, path)
	defer o.Close()
	table, err := loadUnwindTable(o)
	if err != nil {
		t.Fatal(err)
	}
	theirs := delveEntries(t, table)
	if len(table.fdes) == 0 || len(table.fdes) > len(theirs) {
		t.Fatalf("%d functions, and Delve has %d", len(table.fdes), len(theirs))
	}
	rows, different := 0, 0
	for i := range table.fdes {
		s, f, err := table.function(i)
		if err != nil {
			t.Fatal(err)
		}
		entry, err := theirs.FDEForPC(f.start)
		if err != nil {
			t.Fatal(err)
		}
		if entry.Begin() != f.start || entry.End() != f.start+f.size {
			t.Errorf("function %#x to %#x, and Delve has %#x to %#x", f.start, f.start+f.size, entry.Begin(), entry.End())
		}
		_, err = f.run(s, func(pc uint64, r *frameRule) error {
			rows++
			context, err := entry.EstablishFrame(pc)
			if err != nil {
				t.Fatalf("Delve at %#x: %v", pc, err)
			}
			if d := ruleDifference(s, r, context); d != "" {
				if different++; different <= 10 {
					t.Errorf("at %#x: %s", pc, d)
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("function %#x: %v", f.start, err)
		}
	}
	t.Logf("%d functions, %d rows, %d different", len(table.fdes), rows, different)
}

// delveEntries reads with Delve the sections of a table.
func delveEntries(t *testing.T, table *unwindTable) delve.FrameDescriptionEntries {
	t.Helper()
	var all delve.FrameDescriptionEntries
	for _, s := range table.sections {
		address := s.bases.section
		if s.debug {
			address = 0
		}
		entries, err := delve.Parse(s.data, binary.LittleEndian, 0, wordSize, address)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entries...)
	}
	slices.SortStableFunc(all, func(a, b *delve.FrameDescriptionEntry) int { return cmp.Compare(a.Begin(), b.Begin()) })
	return all
}

// ruleDifference says how a rule differs from Delve's, or nothing.
func ruleDifference(s *frameSection, r *frameRule, theirs *delve.FrameContext) string {
	switch {
	case r.cfa.kind == ruleRegister && theirs.CFA.Rule == delve.RuleCFA &&
		uint64(r.cfa.reg) == theirs.CFA.Reg && int64(r.cfa.n) == theirs.CFA.Offset:
	case r.cfa.kind == ruleValExpression && theirs.CFA.Rule == delve.RuleExpression &&
		bytes.Equal(expressionBytes(s, r.cfa), theirs.CFA.Expression):
	default:
		return fmt.Sprintf("frame %+v, Delve %+v", r.cfa, theirs.CFA)
	}
	for reg, ours := range r.regs {
		their, stated := theirs.Regs[uint64(reg)]
		if !sameRule(s, ours, their, stated) {
			return fmt.Sprintf("register %d: %+v, Delve %+v (%v)", reg, ours, their, stated)
		}
	}
	return ""
}

// sameRule compares the rules of a register. Delve takes a register whose initial rule is
// restored, and that has none, for undefined; so for it undefined can mean the same value.
func sameRule(s *frameSection, ours rule, their delve.DWRule, stated bool) bool {
	switch ours.kind {
	case ruleSame:
		return !stated || their.Rule == delve.RuleSameVal || their.Rule == delve.RuleUndefined
	case ruleUndefined:
		return stated && their.Rule == delve.RuleUndefined
	case ruleOffset:
		return their.Rule == delve.RuleOffset && their.Offset == int64(ours.n)
	case ruleValOffset:
		return their.Rule == delve.RuleValOffset && their.Offset == int64(ours.n)
	case ruleRegister:
		return their.Rule == delve.RuleRegister && their.Reg == uint64(ours.reg)
	case ruleExpression:
		return their.Rule == delve.RuleExpression && bytes.Equal(expressionBytes(s, ours), their.Expression)
	case ruleValExpression:
		return their.Rule == delve.RuleValExpression && bytes.Equal(expressionBytes(s, ours), their.Expression)
	}
	return false
}

func expressionBytes(s *frameSection, r rule) []byte {
	c := cfiReader{data: s.data, at: int(uint32(r.n))}
	return c.bytes(c.uleb())
}
