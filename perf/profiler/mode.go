package profiler

import (
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// A callGraph is the way in which the callers of a function are found.
type callGraph struct {
	stack int // bytes of stack that are recorded for unwinding by DWARF; 0: frame pointers
	why   string
}

// Stack sizes: 2 KB of a C program's stacks leave 38 % of them truncated, 4 KB 4 %, and
// 8 KB none; the largest is what a record of the kernel has room for.
const (
	firstStack = 8 << 10
	lastStack  = 65528
)

func (g callGraph) argument() string {
	if g.stack == 0 {
		return "fp"
	}
	return fmt.Sprintf("dwarf,%d", g.stack)
}

func (g callGraph) String() string {
	if g.stack == 0 {
		return "frame pointers: " + g.why
	}
	return fmt.Sprintf("DWARF, %d bytes of stack: %s", g.stack, g.why)
}

// larger is the next one to try where stacks were cut off; false if there is none.
func (g callGraph) larger() (callGraph, bool) {
	if g.stack == 0 || g.stack >= lastStack {
		return g, false
	}
	return callGraph{min(2*g.stack, lastStack), "with less, more than 2 % of the stacks were cut off"}, true
}

// chooseCallGraph looks at the program: Go keeps frame pointers and has no tables for
// unwinding that perf could read, what C compilers make is the other way round, unless
// they were told.
func chooseCallGraph(c Command) callGraph {
	program := programOf(c)
	switch {
	case isGo(program):
		return callGraph{0, "a Go program keeps them"}
	case keepsFramePointers(program):
		return callGraph{0, "the program was built with -fno-omit-frame-pointer"}
	}
	return callGraph{firstStack, "not known to keep frame pointers"}
}

// programOf is the file that the command starts; empty if there is none.
func programOf(c Command) string {
	if len(c.Args) == 0 {
		return ""
	}
	name := c.Args[0]
	if strings.ContainsRune(name, filepath.Separator) && !filepath.IsAbs(name) {
		return filepath.Join(c.Dir, name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return name
	}
	return path
}

// isGo reports whether a file is a program that Go has linked.
func isGo(program string) bool {
	f, err := elf.Open(program)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // it was only read
	return f.Section(".gopclntab") != nil || f.Section(".go.buildinfo") != nil || f.Section(".data.rel.ro.gopclntab") != nil
}

// someUnits is how many compilation units are looked at: the first are the program's own.
const someUnits = 20

// keepsFramePointers reports whether the compiler notes that it was told so. Without
// debug information nobody knows.
func keepsFramePointers(program string) bool {
	f, err := elf.Open(program)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := f.DWARF()
	if err != nil {
		return false
	}
	units := data.Reader()
	for range someUnits {
		unit, err := units.Next()
		if err != nil || unit == nil {
			return false
		}
		producer, _ := unit.Val(dwarf.AttrProducer).(string)
		if strings.Contains(producer, "-fno-omit-frame-pointer") {
			return true
		}
		units.SkipChildren()
	}
	return false
}
