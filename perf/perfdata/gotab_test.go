package perfdata

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const goSource = `package main

import (
	"fmt"
	"sort"
	"strings"
)

type T struct{ a, b int }

func (t *T) sum() int { return t.a + t.b }

func add[N int | float64](a, b N) N { return a + b }

func work(n int) int {
	s := 0
	t := &T{1, 2}
	for i := 0; i < n; i++ {
		s = add(s, t.sum()+i)
		func() {
			defer func() { s++ }()
			t.a ^= s
		}()
	}
	return s
}

//go:noinline
func outer(n int) string {
	xs := make([]int, n)
	for i := range xs {
		xs[i] = work(i % 10)
	}
	sort.Ints(xs)
	return strings.Repeat(fmt.Sprint(xs[0]), 3)
}

func main() { fmt.Println(outer(1000)) }
`

// buildGo builds a program of Go, with arguments of go build.
func buildGo(t testing.TB, arguments ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.com/program\n\ngo 1.26\n", "main.go": goSource} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "program")
	run(t, dir, slices.Concat([]string{"env", "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=", "go", "build", "-o", program}, arguments)...)
	return program
}

// TestGoTable holds the runtime's own table, in a stripped program, against the debug
// information of the same program: functions, inlined ones, files and lines.
func TestGoTable(t *testing.T) {
	for _, mode := range []string{"-buildmode=exe", "-buildmode=pie"} {
		whole := symbolsOf(t, buildGo(t, mode))
		stripped := symbolsOf(t, buildGo(t, mode, "-ldflags=-s -w"))
		if stripped.debugInfo() != nil || len(stripped.symbolTable().symbols) > 0 {
			t.Fatalf("%s: the program is not stripped", mode)
		}
		frames, inlined, differ := 0, 0, 0
		text := whole.object.elf.Section(".text")
		for addr := text.Addr; addr < text.Addr+text.Size; addr += 37 {
			want := whole.frames(addr, nil)
			if len(want) == 0 {
				continue
			}
			got := stripped.frames(addr, nil)
			frames++
			inlined += max(0, len(got)-1)
			if !sameGoFrames(got, want) {
				if differ++; differ < 3 {
					t.Errorf("%s: %#x:\n got %+v\nwant %+v", mode, addr, got, want)
				}
			}
		}
		if frames < 1000 || inlined < frames/20 {
			t.Errorf("%s: %d addresses and %d inlined functions only", mode, frames, inlined)
		}
		t.Logf("%s: %d addresses, %d inlined functions, %d differ", mode, frames, inlined, differ)
		if faults := stripped.faults(); len(faults) > 0 {
			t.Error(faults)
		}
	}
}

func sameGoFrames(got, want []Frame) bool {
	return slices.EqualFunc(got, want, func(a, b Frame) bool {
		return goName(a.Name) == goName(b.Name) && a.Line == b.Line && a.File == b.File && a.Inlined == b.Inlined
	})
}

// goName leaves out what only the linker adds: type arguments, for which the runtime's table
// has [...], and the mark of assembly.
func goName(name string) string {
	depth := 0
	out := make([]rune, 0, len(name))
	for _, c := range name {
		switch c {
		case '[':
			depth++
		case ']':
			depth--
		default:
			if depth == 0 {
				out = append(out, c)
			}
		}
	}
	return strings.TrimSuffix(string(out), ".abi0")
}
