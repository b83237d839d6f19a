package perfdata

import (
	"bufio"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// textAddresses are the addresses of the instructions of a program, by objdump(1).
func textAddresses(t testing.TB, program string) []uint64 {
	t.Helper()
	var all []uint64
	for line := range strings.Lines(run(t, "", "objdump", "-d", "--no-show-raw-insn", "-j", ".text", program)) {
		address, _, ok := strings.Cut(strings.TrimSpace(line), ":\t")
		if !ok {
			continue
		}
		if a, err := strconv.ParseUint(address, 16, 64); err == nil {
			all = append(all, a)
		}
	}
	return all
}

// ask asks a program like addr2line for the frames of addresses.
func ask(t testing.TB, addresses []uint64, command ...string) [][]Frame {
	t.Helper()
	var in strings.Builder
	for _, a := range addresses {
		fmt.Fprintf(&in, "%#x\n", a)
	}
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Stdin = strings.NewReader(in.String())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return parseFrames(string(out))
}

// parseFrames reads what addr2line prints: for each address, and each frame, two lines.
func parseFrames(out string) [][]Frame {
	var all [][]Frame
	for s := bufio.NewScanner(strings.NewReader(out)); s.Scan(); {
		if strings.HasPrefix(s.Text(), "0x") {
			all = append(all, nil)
			continue
		}
		f := Frame{Symbol: s.Text()}
		s.Scan()
		place, _, _ := strings.Cut(s.Text(), " (discriminator")
		colon := strings.LastIndexByte(place, ':')
		if f.File = place[:colon]; f.File == "??" {
			f.File = ""
		}
		f.Line, _ = strconv.Atoi(place[colon+1:]) // ? is 0
		last := len(all) - 1
		all[last] = append(all[last], f)
	}
	return all
}

const cSource = `
#include <stdio.h>
static inline int twice(int x) { return x * 2 + puts("twice"); }
static int called(int x) { return twice(x) + twice(x + 1); }
int main(int argc, char **argv) {
	int total = 0;
	__attribute__((noinline)) int nested(int x) { total += called(x); return total; }
	for (int i = 0; i < argc; i++) total += nested(i);
	return total;
}
`

const rustSource = `
use std::collections::HashMap;
trait Shape { fn area(&self, n: u32) -> f64; }
struct Square(f64);
impl Shape for Square {
	#[inline(never)]
	fn area(&self, n: u32) -> f64 { (0..n).fold(self.0, |s, i| s * 1.0001 + (i % 7) as f64) }
}
#[inline(never)]
fn generic<T: Into<f64> + Copy>(v: &[T]) -> f64 { v.iter().map(|x| { let y: f64 = (*x).into(); y.sqrt() }).sum() }
fn main() {
	let s: Box<dyn Shape> = Box::new(Square(2.0));
	let v: Vec<f32> = (0..1000).map(|x| x as f32).collect();
	let mut m: HashMap<u32, f64> = HashMap::new();
	for i in 0..3u32 { *m.entry(i % 2).or_insert(0.0) += s.area(10) + generic(&v); }
	println!("{}", m.len());
}
`

// TestFrames holds the functions and lines of every instruction of programs against those
// that addr2line(1) and, where it is there, llvm-symbolizer(1) find.
func TestFrames(t *testing.T) {
	for _, tc := range []struct{ file, source, command string }{
		{"a.cpp", cppSource, "g++ -O2 -gdwarf-5"},
		{"a.cpp", cppSource, "g++ -O2 -gdwarf-4 -flto"}, // entries of one unit refer to another
		{"a.cpp", cppSource, "g++ -O2 -gdwarf-5 -gz=zlib -ffunction-sections -Wl,--gc-sections"},
		{"a.cpp", cppSource, "g++ -O2 -gdwarf-4 -fdebug-types-section"}, // types in units of their own, which no frame needs
		{"a.cpp", cppSource, "g++ -O2 -gdwarf-2"},
		{"a.c", cSource, "gcc -O2 -gdwarf-3"},
		{"a.c", cSource, "gcc -O2 -gdwarf-4 -gz=zlib-gnu"},
		{"a.c", cSource, "gcc -O0 -gdwarf-5 -gdwarf64"},
		{"a.rs", rustSource, "rustc -O -g"},
	} {
		t.Run(tc.command, func(t *testing.T) {
			t.Parallel()
			compareFrames(t, compile(t, tc.file, tc.source, strings.Fields(tc.command)...), strings.Contains(tc.command, "gdwarf64"))
		})
	}
}

// TestSharedDebugFile moves what two programs have in common into a file of its own.
func TestSharedDebugFile(t *testing.T) {
	testenv.Tool(t, "dwz")
	whole := compile(t, "a.cpp", cppSource, "g++", "-O2", "-gdwarf-4", "-Wl,--build-id")
	dir := filepath.Dir(whole)
	for _, name := range []string{"one", "two"} {
		run(t, dir, "objcopy", "--only-keep-debug", whole, name+".debug")
		run(t, dir, "cp", whole, name)
		run(t, dir, "strip", name)
		run(t, dir, "objcopy", "--add-gnu-debuglink="+name+".debug", name)
	}
	run(t, dir, "dwz", "-m", "shared.debug", "-M", "shared.debug", "one.debug", "two.debug")
	// dwz has changed the files, and with them their checksums.
	run(t, dir, "objcopy", "--remove-section=.gnu_debuglink", "one")
	run(t, dir, "objcopy", "--add-gnu-debuglink=one.debug", "one")
	want, got := symbolsOf(t, whole), symbolsOf(t, filepath.Join(dir, "one"))
	inlined := 0
	for _, a := range textAddresses(t, whole) {
		x, y := want.frames(a, nil), got.frames(a, nil)
		if !slices.Equal(x, y) {
			t.Errorf("%#x: got %+v, want %+v", a, y, x)
		}
		inlined += max(0, len(y)-1)
	}
	if faults := got.faults(); len(faults) > 0 || got.shared == nil || inlined == 0 {
		t.Errorf("%d inlined functions, faults %v", inlined, faults)
	}
	run(t, dir, "rm", "shared.debug")
	lost := symbolsOf(t, filepath.Join(dir, "one"))
	lost.frames(textAddresses(t, whole)[100], nil)
	if text := fmt.Sprint(lost.faults()); !strings.Contains(text, "shares") {
		t.Errorf("faults %s do not name the file that is missing", text)
	}
}

// TestSplitDebugFile checks that functions which stand in a file of their own are told.
func TestSplitDebugFile(t *testing.T) {
	program := compile(t, "a.c", cSource, "gcc", "-O2", "-gsplit-dwarf", "-gdwarf-5")
	s := symbolsOf(t, program)
	start, _ := functionRange(t, program, "main")
	frames := s.frames(start, nil)
	if len(frames) != 1 || frames[0].Name != "main" {
		t.Errorf("got %+v", frames)
	}
	if text := fmt.Sprint(s.faults()); !strings.Contains(text, ".dwo") {
		t.Errorf("faults %s do not name the file", text)
	}
}

// compareFrames looks at every instruction; of large programs at every nth. binutils do not
// read the 64-bit format.
func compareFrames(t *testing.T, program string, only64 bool) {
	t.Helper()
	s := symbolsOf(t, program)
	all := textAddresses(t, program)
	all = slices.DeleteFunc(all, func(a uint64) bool { _, _, ok := s.lookup(a); return !ok }) // padding
	var addresses []uint64
	for i := 0; i < len(all); i += 1 + len(all)/5000 {
		addresses = append(addresses, all[i])
	}
	opinions := map[string][][]Frame{}
	if !only64 {
		opinions["addr2line"] = ask(t, addresses, testenv.Tool(t, "addr2line"), "-i", "-f", "-a", "-e", program)
	}
	if llvm, err := exec.LookPath("llvm-symbolizer"); err == nil {
		opinions["llvm-symbolizer"] = ask(t, addresses, llvm, "--inlines", "--functions=linkage", "--no-demangle", "-a", "--output-style=GNU", "-e", program)
	}
	raw, err := readRawSymbols(s.object, ".symtab")
	if err != nil {
		t.Fatal(err)
	}
	aliases := map[string]uint64{}
	for _, r := range raw {
		aliases[r.name] = r.value
	}
	inlined := 0
	differences := map[string]int{}
	for i, a := range addresses {
		got := s.frames(a, nil)
		inlined += max(len(got)-1, 0)
		for tool, want := range opinions {
			text := difference(got, want[i])
			outer := want[i][len(want[i])-1].Symbol
			if _, start, _ := s.lookup(a); text == "name" && (aliases[outer] == start || strings.HasPrefix(outer, "a.cpp.")) {
				continue // another name of the same function, or a mark of the linker's
			}
			if text == "" {
				continue
			}
			if differences[tool+" "+text]++; differences[tool+" "+text] < 3 {
				t.Errorf("%#x: %s: %s\n got %+v\nwant %+v", a, tool, text, got[len(got)-1], want[i][len(want[i])-1])
			}
		}
	}
	if inlined == 0 && !only64 {
		t.Error("no inlined function was found")
	}
	if faults := s.faults(); len(faults) > 0 {
		t.Error(faults)
	}
	t.Logf("%d addresses, %d inlined functions, differences %v", len(addresses), inlined, differences)
}

// variants of constructors and destructors, of which the linker sees some and debug
// information the common one.
var variants = regexp.MustCompile(`([CD])[0-5]([EI])`)

// sourceName takes from a name what the compiler adds for a part of a function, or a variant.
func sourceName(symbol string) string {
	if strings.HasPrefix(symbol, "_Z") || !strings.Contains(symbol, "..") {
		symbol, _, _ = strings.Cut(symbol, ".")
	}
	return variants.ReplaceAllString(symbol, "${1}4$2")
}

// difference names what is not the same in the frames of an address: their number, their
// names, or their lines.
func difference(got, want []Frame) string {
	if len(got) != len(want) {
		return "number"
	}
	for i := range got {
		if sourceName(got[i].Symbol) != sourceName(want[i].Symbol) && got[i].Name != want[i].Symbol {
			if got[i].Symbol == "" && want[i].Symbol == got[len(got)-1].Symbol {
				continue // addr2line takes the symbol where there is no name for the linker
			}
			if i == len(got)-1 && strings.Contains(got[i].Name, want[i].Symbol) {
				continue // and the short name where the function has one in the symbol table
			}
			return "name"
		}
		if want[i].Line == 0 && got[i].File == "" {
			continue // the file that the symbol table names
		}
		if path.Clean(got[i].File) != path.Clean(want[i].File) || got[i].Line != want[i].Line {
			return "line"
		}
	}
	return ""
}
