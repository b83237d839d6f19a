package perfdata

import (
	"bufio"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// A step is a place where a debugger stopped a program: what a sample carries, and the
// callers that the debugger finds.
type step struct {
	regs  registers
	stack memory
	chain []uint64
	sps   []uint64 // the stack pointer of each of the chain
}

// A mapping is text in the memory of a program.
type textMapping struct {
	start, end, offset uint64
	path               string
}

// A program that a debugger stepped through.
type stepped struct {
	program string
	maps    []textMapping
	steps   []step
}

// stepThrough lets gdb step through a program. See steps.py for what each of stops says.
func stepThrough(t testing.TB, program string, stops ...string) stepped {
	t.Helper()
	gdb := testenv.Tool(t, "gdb")
	script, err := filepath.Abs("testdata/unwind/steps.py")
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "steps")
	cmd := exec.CommandContext(t.Context(), gdb, "-nx", "-batch", "-x", script, program)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1", "STEPS="+strings.Join(stops, " "), "STEPS_OUT="+out)
	log, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(log), "Traceback") {
		if strings.Contains(string(log), "ptrace") || strings.Contains(string(log), "Scripting in the \"Python\"") {
			testenv.Missing(t, "gdb", string(log))
		}
		t.Fatalf("gdb: %v\n%s", err, log[max(0, len(log)-2000):])
	}
	s := readSteps(t, out)
	s.program = program
	return s
}

func readSteps(t testing.TB, name string) stepped {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var s stepped
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch fields[0] {
		case "map":
			m := textMapping{hexNumber(t, fields[1]), hexNumber(t, fields[2]), hexNumber(t, fields[3]), fields[4]}
			if !slices.Contains(s.maps, m) {
				s.maps = append(s.maps, m)
			}
		case "step":
			s.steps = append(s.steps, readStep(t, fields))
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return s
}

func readStep(t testing.TB, fields []string) step {
	var s step
	for i, v := range strings.Split(fields[1], ",") {
		s.regs[i] = hexNumber(t, v)
	}
	s.stack.base = s.regs[regRSP]
	if fields[2] != "-" {
		var err error
		if s.stack.data, err = hex.DecodeString(fields[2]); err != nil {
			t.Fatal(err)
		}
	}
	for v := range strings.SplitSeq(fields[3], ",") {
		ip, sp, _ := strings.Cut(v, "@")
		s.chain = append(s.chain, hexNumber(t, ip))
		s.sps = append(s.sps, hexNumber(t, sp))
	}
	return s
}

func hexNumber(t testing.TB, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// mapped loads the tables of all that is mapped, and finds them by address.
func (s *stepped) mapped(t testing.TB) locate {
	t.Helper()
	tables := make([]*unwindTable, len(s.maps))
	biases := make([]uint64, len(s.maps))
	for i, m := range s.maps {
		tables[i] = noUnwindTable
		var o *object
		switch {
		case m.path == vdsoPath:
			o = mustOpenOwnVDSO(t)
		case strings.HasPrefix(m.path, "["):
			continue
		default:
			o = mustOpenObject(t, m.path)
		}
		defer o.Close()
		address, ok := textAddress(o, m.offset)
		if !ok {
			t.Fatalf("%s has no text at offset %#x", m.path, m.offset)
		}
		var debug []*object
		if d := separateDebug(o); d != nil {
			debug = append(debug, d)
			defer d.Close()
		}
		table, err := loadUnwindTable(o, debug...)
		if err != nil {
			t.Fatal(err)
		}
		tables[i], biases[i] = table, m.start-address
	}
	return func(ip uint64) (*unwindTable, uint64) {
		for i, m := range s.maps {
			if ip >= m.start && ip < m.end {
				return tables[i], biases[i]
			}
		}
		return nil, 0
	}
}

// find is the mapping at an address, as a walk takes it.
func (s *stepped) find(ip uint64) *mapping {
	for _, m := range s.maps {
		if ip >= m.start && ip < m.end {
			kind := imageFile
			if strings.HasPrefix(m.path, "[") {
				kind = imageNone
			}
			return &mapping{m.start, m.end, m.offset, &image{kind: kind, path: m.path}, true}
		}
	}
	return nil
}

// mustOpenOwnVDSO opens what the kernel maps into every process.
func mustOpenOwnVDSO(t testing.TB) *object {
	t.Helper()
	f, err := ownVDSO()
	if err != nil {
		t.Fatal(err)
	}
	o, err := openObject(vdsoPath, f)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// textAddress translates the offset at which text is mapped. It is that of a page, and the
// text begins within the page: the byte at the offset itself may be of another segment.
func textAddress(o *object, offset uint64) (uint64, bool) {
	const page = 4096
	for _, p := range o.elf.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && offset >= p.Off&^(page-1) && offset < p.Off+p.Filesz {
			return p.Vaddr - p.Off + offset, true
		}
	}
	return 0, false
}

func mustOpenObject(t testing.TB, path string) *object {
	t.Helper()
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o, err := openObject(path, f)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// separateDebug opens the debug information of a system library, if it is installed.
func separateDebug(o *object) *object {
	data, _, err := o.section(".note.gnu.build-id")
	if err != nil || len(data) < 17 {
		return nil
	}
	id := hex.EncodeToString(data[16:])
	f, err := OpenFile("/usr/lib/debug/.build-id/" + id[:2] + "/" + id[2:] + ".debug")
	if err != nil {
		return nil
	}
	d, err := openObject(id, f)
	if err != nil {
		return nil
	}
	return d
}

// sameChain compares a walk with a debugger's chain. In the former a caller's address is
// one less, but for what a signal has interrupted.
func sameChain(walked, chain []uint64) bool {
	return slices.EqualFunc(walked, chain, func(a, b uint64) bool { return a == b || a == b-1 })
}

// truncated reports whether a walk is right to end because the stack is not there: it has
// the first of the chain, and the return address to the next lies outside.
func (s *step) truncated(ips []uint64) bool {
	n := len(ips)
	return n < len(s.chain) && sameChain(ips, s.chain[:n]) && !s.stack.has(s.sps[n]-wordSize)
}

func hexChain(chain []uint64) string {
	var b strings.Builder
	for _, ip := range chain {
		fmt.Fprintf(&b, " %x", ip)
	}
	return b.String()
}

func compileProgram(t testing.TB, compiler, name string, args ...string) string {
	t.Helper()
	compiler = testenv.Tool(t, compiler)
	out := filepath.Join(t.TempDir(), strings.TrimSuffix(name, filepath.Ext(name)))
	args = append(args, "-o", out, filepath.Join("testdata", "unwind", name))
	if log, err := exec.CommandContext(t.Context(), compiler, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", compiler, args, err, log)
	}
	return out
}

// checkSteps walks each place that the debugger stopped at and compares the chains.
func checkSteps(t *testing.T, s stepped) {
	t.Helper()
	at := s.mapped(t)
	u := newUnwinder()
	ends := map[walkEnd]int{}
	different := 0
	for _, step := range s.steps {
		// Where gdb goes on to what is no text, it has taken data for a return address.
		if i := slices.IndexFunc(step.chain, func(ip uint64) bool { t, _ := at(ip); return t == nil }); i >= 0 {
			step.chain = step.chain[:i]
		}
		ips, end := u.walk(nil, &step.regs, step.stack, at)
		ends[end]++
		if sameChain(ips, step.chain) || end == walkTruncated && step.truncated(ips) {
			continue
		}
		// gdb takes what is left over on the stack of Go's runtime for a caller.
		if n := len(ips); end == walkSwitched && n < len(step.chain) && sameChain(ips, step.chain[:n]) && s.switchesStack(t, ips[n-1]) {
			continue
		}
		if different++; different <= 10 {
			t.Errorf("walk ended: %v\n walk%s\n gdb %s", end, hexChain(ips), hexChain(step.chain))
		}
	}
	t.Logf("%d places, %d different, %v, fault: %v", len(s.steps), different, ends, u.fault)
}

// switchesStack reports whether an address is in a function that has its callers on another
// stack, by the symbols of the program, which lies where it is linked.
func (s stepped) switchesStack(t *testing.T, ip uint64) bool {
	t.Helper()
	e, err := elf.Open(s.program)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	symbols, err := e.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(symbols, func(x elf.Symbol) bool {
		name := strings.TrimSuffix(x.Name, ".abi0")
		return ip >= x.Value && ip < x.Value+x.Size && (name == "runtime.morestack" || name == "runtime.mcall" || name == "runtime.systemstack")
	})
}

func TestWalkEachInstructionOfC(t *testing.T) {
	t.Parallel()
	program := compileProgram(t, "gcc", "forms.c", "-O2", "-g", "-fomit-frame-pointer", "-Wl,-z,lazy")
	checkSteps(t, stepThrough(t, program,
		"all:100:1", "_dl_fixup:60:7", "realigned:60:1", "crowded:60:1", "compare:60:1", "longjmp:30:1",
		"malloc:30:1", "handler:80:1", "signalled_elsewhere:60:1", "handler:80:1"))
}

func TestWalkEachInstructionOfCPlusPlus(t *testing.T) {
	t.Parallel()
	program := compileProgram(t, "g++", "forms.cc", "-O2", "-g", "-fomit-frame-pointer", "-pthread")
	checkSteps(t, stepThrough(t, program,
		"all:60:1", "thrower:60:1", "__cxa_throw:60:1", "_Unwind_RaiseException:60:17", "Guard::~Guard:30:1",
		"in_thread:60:1"))
}

func TestWalkEachInstructionOfRust(t *testing.T) {
	t.Parallel()
	program := compileProgram(t, "rustc", "forms.rs", "-O", "-g")
	checkSteps(t, stepThrough(t, program,
		"forms::all:120:1", "forms::compare:100:3", "_Unwind_RaiseException:60:17", "forms::in_thread:60:1"))
}

func TestWalkEachInstructionOfGo(t *testing.T) {
	t.Parallel()
	program := compileGo(t)
	checkSteps(t, stepThrough(t, program,
		"main.all:100:1", "main.recurse:60:1", "main.compare:60:3", "runtime.mallocgc:100:3", "main.inGoroutine:60:1"))
}
