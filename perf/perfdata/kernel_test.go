package perfdata

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

const someKallsyms = `ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000100 T do_syscall_64
ffffffff81000200 t __do_sys_fork
ffffffff81000200 T __ia32_sys_fork
ffffffff81000200 T __x64_sys_fork
ffffffff81000300 T other
ffffffffc0001000 t hook	[nf_tables]
ffffffffc0002000 t end	[nf_tables]
`

// kernelFiles is an Opener of a machine that has nothing but a kernel.
func kernelFiles(text string) Opener {
	return func(path string) (File, error) {
		if path == kallsymsFile {
			return memoryFile{bytes.NewReader([]byte(text))}, nil
		}
		return noFiles(path)
	}
}

// TestKernelNames checks names and modules of samples in the kernel, and that those of
// another kernel are not taken.
func TestKernelNames(t *testing.T) {
	const text uint64 = 0xffffffff81000000
	w := new(written).comm(5, 5, 0, 0, "x")
	head := longs(0xffffffff_ffffffff, text, 0x1000000, text)
	w.record(recMmap, miscKernel, append(append(head, padded(kernelPath+"_text")...), ending(0, 0, 0)...))
	module := longs(0xffffffff_ffffffff, 0xffffffffc0001000, 0x3000, 0)
	w.record(recMmap, miscKernel, append(append(module, padded("/lib/modules/6.1/kernel/net/nf-tables.ko.xz")...), ending(0, 0, 0)...))
	w.record(recKsymbol, 0, append(append(longs(0xffffffffc1000000, 64), padded("bpf_prog_1")...), ending(0, 0, 0)...))
	for i, ip := range []uint64{text + 0x210, 0xffffffffc0001010, 0xffffffffc1000010} {
		w.record(recSample, miscKernel, longs(1, ip, 5<<32|5, uint64(i+1), 0, 10, 3, contextKernel, ip, text+0x110))
	}
	r := readBytes(t, w.pipe(), Options{Open: kernelFiles(someKallsyms)})
	wantStacks(t, r,
		fmt.Sprintf("x;do_syscall_64+%x;__x64_sys_fork+%x 10", text+0x110, text+0x210),
		fmt.Sprintf("x;do_syscall_64+%x;hook+ffffffffc0001010 10", text+0x110),
		fmt.Sprintf("x;do_syscall_64+%x;bpf_prog_1+ffffffffc1000010 10", text+0x110))
	var modules []string
	for _, m := range r.Profile.Mapping {
		modules = append(modules, m.File)
	}
	if fmt.Sprint(modules) != "[[kernel.kallsyms] [nf_tables] [bpf]]" {
		t.Errorf("the modules are %v", modules)
	}
	moved := strings.ReplaceAll(someKallsyms, "ffffffff81", "ffffffff92")
	r = readBytes(t, w.pipe(), Options{Open: kernelFiles(moved)})
	if got := stacksOf(r.Profile); strings.Contains(got, "syscall") || !strings.Contains(fmt.Sprint(r.Notes), "another kernel") {
		t.Errorf("names of another kernel are taken:\n%s\n%v", got, r.Notes)
	}
}

// TestCompiledWhileItRan checks names from the map that a compiler leaves.
func TestCompiledWhileItRan(t *testing.T) {
	w := new(written).comm(5, 5, 0, 0, "node").mmap2(5, 0, 0x10000, 0x10000, 0, "//anon")
	w.sample(5, 5, 1, 1, 0x10010, 0x10121).sample(5, 5, 2, 1, 0x1f000)
	open := func(path string) (File, error) {
		if path == "/tmp/perf-5.map" {
			return memoryFile{bytes.NewReader([]byte("10000 40 LazyCompile:~inner file.js:3\n10100 40 Builtin:Outer\n"))}, nil
		}
		return noFiles(path)
	}
	wantStacks(t, readBytes(t, w.pipe(), Options{Open: open}),
		"node;Builtin:Outer+10120;LazyCompile:~inner file.js:3+10010 10", "node;[perf-5.map]+1f000 10")
}

// TestOnlyAbsolutePaths checks that a recording cannot have files opened by other names.
func TestOnlyAbsolutePaths(t *testing.T) {
	w := new(written).comm(5, 5, 0, 0, "x").mmap2(5, 0, 0x1000, 0x1000, 0, "program").mmap2(5, 0, 0x2000, 0x1000, 0, "/bin/x (deleted)")
	w.sample(5, 5, 1, 1, 0x1010, 0x2010)
	var opened []string
	r := readBytes(t, w.pipe(), Options{Open: func(path string) (File, error) {
		opened = append(opened, path)
		return noFiles(path)
	}})
	wantStacks(t, r, "x;[x (deleted)]+f;[program]+10 10")
	if got := fmt.Sprint(opened); strings.Contains(got, "program") {
		t.Errorf("%s were opened", got)
	}
}
