package perfdata

import (
	"errors"
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

// compile builds a program of one source file by the given command, whose last arguments
// become the source and the program, and returns the program's path.
func compile(t testing.TB, file, source string, command ...string) string {
	t.Helper()
	testenv.Tool(t, command[0])
	dir := t.TempDir()
	in, out := filepath.Join(dir, file), filepath.Join(dir, "program")
	if err := os.WriteFile(in, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, dir, append(command, "-o", out, in)...)
	return out
}

// run returns what a command prints, and fails the test if it fails.
func run(t testing.TB, dir string, command ...string) string {
	t.Helper()
	testenv.Tool(t, command[0])
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		stderr := ""
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			stderr = string(e.Stderr)
		}
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, stderr)
	}
	return string(out)
}

// symbolsOf opens the symbols of a file.
func symbolsOf(t testing.TB, path string) *symbols {
	t.Helper()
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o, err := openObject(path, f)
	if err != nil {
		t.Fatal(err)
	}
	s := newSymbols(o, OpenFile)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

const cppSource = `
#include <cstdio>
#include <vector>
#include <functional>
namespace ns {
template<class T> struct Box {
	T v;
	explicit Box(T x) : v(x) {}
	T work(int n) const { T s = v; for (int i = 0; i < n; i++) s = s*1.0001 + i%7; return s; }
};
}
namespace {
double anon(int n, const std::vector<double> &v) {
	double s = 0;
	for (int i = 0; i < n; i++) s += v[i%v.size()]*1.1;
	return s;
}
}
static inline double innermost(double x) { return x*1.00001 + 0.5; }
static inline double inl(double x, int n) {
	for (int i = 0; i < n; i++) x = innermost(x);
	return x;
}
__attribute__((noinline)) double outer(double x) { return inl(x, 100000) + inl(x*2, 50000); }
struct A {
	virtual ~A() {}
	virtual double f(double x);
	double operator()(int) const;
};
__attribute__((noinline)) double A::f(double x) { return inl(x, 1000); }
__attribute__((noinline)) double A::operator()(int n) const { return inl(n, 1000); }
extern "C" __attribute__((noinline)) double plain_c(double x) { return inl(x, 10); }
int main(int argc, char **) {
	ns::Box<double> b(1.5);
	std::vector<double> v(100, 1.0);
	A a;
	std::function<double(double)> g = [&](double z) { return inl(z, argc); };
	double s = 0;
	for (int i = 0; i < argc*30; i++) s += b.work(10000) + anon(10000, v) + outer(s) + a.f(s) + a(i) + g(s) + plain_c(s);
	try { v.at(200); } catch (std::exception &e) { puts(e.what()); }
	printf("%f\n", s);
}
`

// TestSymbolsAgainstNM looks each function up that nm(1) knows, at its first address and at
// its last.
func TestSymbolsAgainstNM(t *testing.T) {
	program := compile(t, "a.cpp", cppSource, "g++", "-O2", "-g")
	s := symbolsOf(t, program)
	names := map[uint64][]string{}
	n := 0
	for line := range strings.Lines(run(t, "", "nm", "-S", program)) {
		f := strings.Fields(line)
		if len(f) != 4 || !strings.ContainsAny(f[2], "TtWw") {
			continue
		}
		start, size := parseHex(t, f[0]), parseHex(t, f[1])
		names[start] = append(names[start], f[3])
		n++
		defer func() {
			for _, addr := range []uint64{start, start + size - 1} {
				got, begin, ok := s.lookup(addr)
				if !ok || begin != start || !slices.Contains(names[start], got) {
					t.Errorf("%#x: %q from %#x, want %q", addr, got, begin, names[start])
				}
			}
		}()
	}
	if n < 10 {
		t.Errorf("nm knows %d functions only", n)
	}
}

const pltSource = `
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
	char *p = malloc(argc);
	printf("%d %p\\n", getpid(), p);
	free(p);
	return atoi(argv[0]);
}
`

// TestPLTAgainstObjdump holds the stubs against the names that objdump(1) gives them.
func TestPLTAgainstObjdump(t *testing.T) {
	for _, flag := range []string{"-fcf-protection=none", "-fcf-protection=full", "-Wl,-z,now"} {
		program := compile(t, "a.c", pltSource, "gcc", "-O2", "-Wl,-z,lazy", flag)
		s := symbolsOf(t, program)
		n := 0
		for line := range strings.Lines(run(t, "", "objdump", "-d", "--no-show-raw-insn", program)) {
			address, name, ok := strings.Cut(strings.TrimSpace(line), " <")
			name, ok2 := strings.CutSuffix(name, "@plt>:")
			if !ok || !ok2 || strings.HasPrefix(name, "*ABS*") {
				continue
			}
			n++
			addr := parseHex(t, address)
			for _, a := range []uint64{addr, addr + 7} {
				if got, start, _ := s.lookup(a); got != name+pltSuffix || start != addr {
					t.Errorf("%s: %#x: %q from %#x, want %s@plt", flag, a, got, start, name)
				}
			}
		}
		if n < 3 {
			t.Errorf("%s: objdump knows %d stubs only", flag, n)
		}
		if faults := s.faults(); len(faults) > 0 {
			t.Error(faults)
		}
	}
}

func parseHex(t testing.TB, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestSeparateDebugFile strips a program and finds its names again.
func TestSeparateDebugFile(t *testing.T) {
	program := compile(t, "a.c", cSource, "gcc", "-O2", "-g", "-Wl,--build-id")
	start, _ := functionRange(t, program, "main")
	dir := filepath.Dir(program)
	whole := program + ".whole"
	run(t, dir, "cp", program, whole)
	for _, tc := range []struct {
		name, debug string // where the debug file lies
		link        bool
		want        string
		fault       string
	}{
		{"beside, by link", "program.debug", true, "main", ""},
		{"in .debug, by link", ".debug/program.debug", true, "main", ""},
		{"by build-id", "by-id", false, "main", ""},
		{"another build", "program.debug", true, "", "checksum"},
		{"none", "", true, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			run(t, dir, "rm", "-rf", "program.debug", ".debug", "by-id", "program")
			run(t, dir, "mkdir", ".debug")
			run(t, dir, "objcopy", "--only-keep-debug", whole, "program.debug")
			run(t, dir, "objcopy", "--strip-all", whole, "program")
			if tc.link {
				run(t, dir, "objcopy", "--add-gnu-debuglink=program.debug", "program")
			}
			switch tc.debug {
			case "program.debug":
			case "":
				run(t, dir, "rm", "program.debug")
			default:
				run(t, dir, "mv", "program.debug", tc.debug)
			}
			if tc.fault != "" {
				run(t, dir, "objcopy", "--remove-section=.debug_line", "program.debug")
			}
			s := symbolsOf(t, program)
			s.open = func(p string) (File, error) {
				if strings.HasPrefix(p, debugRoot+"/.build-id/") && tc.debug == "by-id" {
					p = filepath.Join(dir, tc.debug)
				}
				return OpenFile(p)
			}
			got, _, _ := s.lookup(start)
			if got != tc.want {
				t.Errorf("got %q, want %q (%v)", got, tc.want, s.faults())
			}
			if text := fmt.Sprint(s.faults()); tc.fault == "" && text != "[]" || !strings.Contains(text, tc.fault) {
				t.Errorf("faults %s, want %q", text, tc.fault)
			}
		})
	}
}

// functionRange is where a function lies in a program, by nm(1).
func functionRange(t testing.TB, program, name string) (start, end uint64) {
	t.Helper()
	for line := range strings.Lines(run(t, "", "nm", "-S", program)) {
		if f := strings.Fields(line); len(f) == 4 && f[3] == name {
			start = parseHex(t, f[0])
			return start, start + parseHex(t, f[1])
		}
	}
	t.Fatalf("%s has no function %s", program, name)
	return 0, 0
}

// TestTrampoline looks up what a caller passes of a return into the first instruction of
// the function that handlers of signals return into. Before other functions there is only
// padding.
func TestTrampoline(t *testing.T) {
	const trampoline = `
asm(".text\n.globl before\n.type before, @function\nbefore: ret\n.size before, .-before\n.skip 16, 0x90\n.globl __restore_rt\n.type __restore_rt, @function\n__restore_rt: nop\n ret\n.size __restore_rt, .-__restore_rt\n"
    ".skip 16, 0x90\n.globl other\n.type other, @function\nother: nop\n ret\n.size other, .-other\n");
int main(void) { return 0; }
`
	program := compile(t, "a.c", trampoline, "gcc", "-O2", "-g")
	s := symbolsOf(t, program)
	start, _ := functionRange(t, program, "__restore_rt")
	if name, begin, ok := s.lookup(start - 1); !ok || name != "__restore_rt" || begin != start {
		t.Errorf("got %q from %#x", name, begin)
	}
	other, _ := functionRange(t, program, "other")
	for _, addr := range []uint64{start - 2, other - 1} {
		if name, _, ok := s.lookup(addr); ok {
			t.Errorf("what lies in no function is called %q", name)
		}
	}
}

func TestDebugLinkIsAName(t *testing.T) {
	for _, name := range []string{"", "..", "../x", "/etc/passwd"} {
		if paths := linkPaths("/bin/x", filepath.Base(name)); slices.Contains(paths, name) {
			t.Errorf("%q is looked for at %q", name, paths)
		}
	}
	want := []string{"/opt/a/x.debug", "/opt/a/.debug/x.debug", "/usr/lib/debug/opt/a/x.debug"}
	if got := linkPaths("/opt/a/x", "x.debug"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestAliases holds the choice among symbols of one address against perf's rules.
func TestAliases(t *testing.T) {
	const (
		local  = 0
		global = 1
		weak   = 2
	)
	for _, tc := range []struct {
		name string
		all  []symbol
		want string
	}{
		{"a size first", []symbol{{"sized", 8, 16, weak}, {"bare", 8, 8, global}}, "sized"},
		{"strong before weak", []symbol{{"w", 8, 16, weak}, {"l", 8, 16, local}}, "l"},
		{"global before local", []symbol{{"l", 8, 16, local}, {"g", 8, 16, global}}, "g"},
		{"fewer underscores", []symbol{{"__longer_name", 8, 16, global}, {"_n", 8, 16, global}, {"n", 8, 16, global}}, "n"},
		{"the longer name", []symbol{{"memcpy", 8, 16, global}, {"memcpy@@GLIBC_2.14", 8, 16, global}}, "memcpy@@GLIBC_2.14"},
		{"the first of equals", []symbol{{"aa", 8, 16, global}, {"bb", 8, 16, global}}, "aa"},
	} {
		s, ok := newSymbolTable(tc.all).lookup(9)
		if tc.want == "sized" || ok {
			if s.name != tc.want {
				t.Errorf("%s: got %q, want %q", tc.name, s.name, tc.want)
			}
			continue
		}
		t.Errorf("%s: nothing found", tc.name)
	}
}

func TestNestedSymbols(t *testing.T) {
	table := newSymbolTable([]symbol{
		{name: "around", start: 0x100, end: 0x200},
		{name: "in", start: 0x140, end: 0x150},
		{name: "label", start: 0x150, end: 0x150},
		{name: "next", start: 0x160, end: 0x170},
		{name: "last", start: 0x300, end: 0x300},
	})
	for addr, want := range map[uint64]string{
		0xff: "", 0x100: "around", 0x13f: "around", 0x140: "in", 0x14f: "in", 0x150: "label", 0x15f: "label",
		0x160: "next", 0x16f: "next", 0x170: "around", 0x1ff: "around", 0x200: "", 0x300: "last", 0x1fff: "last", 0x2000: "",
	} {
		if s, _ := table.lookup(addr); s.name != want {
			t.Errorf("%#x: got %q, want %q", addr, s.name, want)
		}
	}
}
