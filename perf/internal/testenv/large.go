package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The units and functions of a [LargeProgram] make about 50 MB of .debug_info.
const (
	largeUnits     = 250
	largeFunctions = 18
)

// LargeProgram makes a program of C++ with much debug information, which calls all of its
// 4,500 functions one after the other until it is ended. It links copies of one compiled
// unit, whose functions are renamed, to begin with _ZN4u: compiling 250 units would take
// minutes.
func LargeProgram(b testing.TB, dir string) string {
	b.Helper()
	for _, tool := range []string{"g++", "nm", "objcopy"} {
		Tool(b, tool)
	}
	run := func(command ...string) string {
		cmd := exec.CommandContext(b.Context(), command[0], command[1:]...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			b.Fatalf("%v: %v\n%s", command, err, out)
		}
		return string(out)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	write("unit.cpp", largeUnit())
	run("g++", "-O2", "-g", "-c", "unit.cpp")
	var symbols []string
	for line := range strings.Lines(run("nm", "unit.o")) {
		if f := strings.Fields(line); len(f) == 3 && f[1] == "T" {
			symbols = append(symbols, f[2])
		}
	}
	link := []string{"g++", "-g", "-o", "large", "main.cpp"}
	var declared, called strings.Builder
	for u := range largeUnits {
		var names strings.Builder
		for i, symbol := range symbols {
			renamed := strings.Replace(symbol, "_Z", fmt.Sprintf("_ZN4u%03d", u), 1) + "E"
			fmt.Fprintf(&names, "%s %s\n", symbol, renamed)
			fmt.Fprintf(&declared, "double f%d_%d(double, vector &, map &) asm(%q);\n", u, i, renamed)
			fmt.Fprintf(&called, "f%d_%d, ", u, i)
		}
		write("names", names.String())
		object := fmt.Sprintf("u%03d.o", u)
		run("objcopy", "--redefine-syms=names", "unit.o", object)
		link = append(link, object)
	}
	write("main.cpp", fmt.Sprintf(`#include <vector>
#include <string>
#include <map>
typedef std::vector<double> vector;
typedef std::map<int, std::string> map;
%sstatic double (*all[])(double, vector &, map &) = {%s};
int main() {
	double x = 1;
	for (map m;; m.clear())
		for (auto f : all) {
			vector v;
			for (int i = 0; i < 100; i++) v.push_back(i * 7919 %% 101);
			x = f(x, v, m);
		}
}
`, declared.String(), called.String()))
	run(link...)
	return filepath.Join(dir, "large")
}

// largeUnit is the source of one unit.
func largeUnit() string {
	var b strings.Builder
	b.WriteString(`#include <vector>
#include <string>
#include <map>
#include <algorithm>
template<int N> static inline double leaf(double x) { return x*1.0001 + N; }
template<int N> static inline double mid(double x, std::vector<double> &v) { for (auto &e : v) x = leaf<N>(x) + e; v.push_back(x); return leaf<N+1>(x); }
`)
	for f := range largeFunctions {
		fmt.Fprintf(&b, "__attribute__((noinline)) double f%d(double x, std::vector<double> &v, std::map<int, std::string> &m) {\n"+
			"\tx = mid<%d>(x, v); m[%d] = \"a\" + std::to_string(x); std::sort(v.begin(), v.end()); return x + m.size() + mid<%d>(x, v);\n}\n", f, f, f, f+100)
	}
	return b.String()
}
