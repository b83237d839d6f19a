package perfdata

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
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

// A gdbWalk is what gdb says of a dump.
type gdbWalk struct {
	ips []uint64
	// cannot is why gdb finds no stack: its own guess of what is inlined where can fail.
	cannot string
	// unread is the address of what it wanted of the stack and could not read; 0: none.
	unread uint64
}

// gdbWalks asks gdb for the stacks of dumps. For each it gets a core file of the registers
// and of the stack that the sample has, and where the files were mapped; what it says of
// the place is its own reading of them.
func gdbWalks(t *testing.T, dumps []*oracleDump) []gdbWalk {
	t.Helper()
	testenv.Working(t, "gdb", gdbWorks)
	dir := t.TempDir()
	groups := map[string][]int{} // by the files that are mapped, and where
	for i, d := range dumps {
		key := strings.Join(d.symbolFiles(), "\n")
		groups[key] = append(groups[key], i)
	}
	out := make([]gdbWalk, len(dumps))
	for files, members := range groups {
		script := gdbShows + "set confirm off\nset backtrace past-main on\nset backtrace past-entry on\nset stack-cache off\nset code-cache off\n"
		for file := range strings.SplitSeq(files, "\n") {
			script += "add-symbol-file " + file + "\n"
		}
		for _, i := range members {
			core := filepath.Join(dir, fmt.Sprintf("%d.core", i))
			if err := os.WriteFile(core, dumps[i].core(), 0o600); err != nil {
				t.Fatal(err)
			}
			script += fmt.Sprintf("core-file %s\nmaintenance flush register-cache\necho \\n%s%d\\n\npython frames()\n", core, gdbCore, i)
		}
		commands := filepath.Join(dir, "commands")
		if err := os.WriteFile(commands, []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := exec.CommandContext(t.Context(), "gdb", "-nx", "-q", "-batch", "-x", commands).CombinedOutput()
		if err != nil {
			t.Fatalf("gdb: %v\n%s", err, text)
		}
		readGDB(t, string(text), out)
	}
	return out
}

// What begins the lines of gdb that are read.
const (
	gdbCore   = "core:"
	gdbFrame  = "frame:"
	gdbCannot = "cannot:"
	gdbUnread = "unread:"
)

// gdbShows is a command of gdb's that writes where the frames are. Frames of functions that
// are inlined or have ended with a jump are gdb's guess from debug information, and not on
// the stack. Where a guess fails, gdb says why; what it cannot read it tells people alone.
const gdbShows = `python
def frames():
    try:
        f = gdb.newest_frame()
        while f is not None:
            if f.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
                print("` + gdbFrame + `%x" % f.pc())
            last, f = f, f.older()
        if last.unwind_stop_reason() == gdb.FRAME_UNWIND_MEMORY_ERROR:
            words = gdb.execute("backtrace -1", to_string=True).split("access memory at address 0x")
            print("` + gdbUnread + `%s" % words[-1].split()[0] if len(words) > 1 else "")
    except gdb.error as e:
        print("` + gdbCannot + ` %s" % e)
end
`

// gdbWorks is the attempt to have gdb run a command in Python, which it can be built without.
func gdbWorks() error {
	out, err := exec.Command("gdb", "-nx", "-q", "-batch", "-ex", "python print(gdb.VERSION)").CombinedOutput()
	if err == nil && bytes.Contains(out, []byte("not supported")) {
		err = errors.New("it has no Python")
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// readGDB reads the addresses of each core's frames.
func readGDB(t *testing.T, text string, out []gdbWalk) {
	t.Helper()
	at := -1
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if n, ok := strings.CutPrefix(line, gdbCore); ok {
			var err error
			if at, err = strconv.Atoi(n); err != nil || at >= len(out) {
				t.Fatalf("gdb says %q", line)
			}
		}
		if why, ok := strings.CutPrefix(line, gdbCannot); ok && at >= 0 {
			out[at].cannot = strings.TrimSpace(why)
		}
		if address, ok := strings.CutPrefix(line, gdbUnread); ok && at >= 0 {
			out[at].unread = hexNumber(t, address)
		}
		if f, ok := strings.CutPrefix(line, gdbFrame); ok && at >= 0 {
			if pc := hexNumber(t, f); pc != 0 { // what a thread's first function has in place of a return address
				out[at].ips = append(out[at].ips, pc)
			}
		}
	}
}

// symbolFiles are the files that are mapped as code, with what to add to their addresses,
// as gdb's add-symbol-file takes them.
func (d *oracleDump) symbolFiles() (out []string) {
	for _, m := range d.maps {
		if !m.code || m.image.kind != imageFile {
			continue
		}
		e, err := elf.Open(m.image.path)
		if err != nil {
			continue
		}
		for _, p := range e.Progs {
			if p.Type == elf.PT_LOAD && m.offset <= p.Off && p.Off-m.offset < pageSize && p.Flags&elf.PF_X != 0 {
				out = append(out, fmt.Sprintf("%s -o %#x", m.image.path, m.start-m.offset+p.Off-p.Vaddr))
				break
			}
		}
		_ = e.Close()
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// core is the dump as a core file: a note with the registers (struct elf_prstatus of
// linux/elfcore.h) and a segment with the stack.
func (d *oracleDump) core() []byte {
	stack, base := d.stack, d.regs[regRSP]
	if d.popped() {
		stack, base = slices.Concat(binary.LittleEndian.AppendUint64(nil, d.regs[regRBP]), stack), base-wordSize
	}
	const headers = 64 + 2*56
	status := make([]byte, 336)
	// The order of struct user_regs_struct, in DWARF's numbers; -1: not dumped.
	for i, reg := range []int{15, 14, 13, 12, 6, 3, 11, 10, 9, 8, 0, 2, 1, 4, 5, -1, 16, -1, -1, 7} {
		if reg >= 0 {
			binary.LittleEndian.PutUint64(status[112+8*i:], d.regs[reg])
		}
	}
	binary.LittleEndian.PutUint32(status[32:], 1)          // the thread
	binary.LittleEndian.PutUint64(status[112+8*17:], 0x33) // cs, of 64-bit programs
	note := slices.Concat(words32(5, uint32(len(status)), 1), []byte("CORE\x00\x00\x00\x00"), status)
	stackAt := (headers + uint64(len(note)) + pageSize - 1) &^ (pageSize - 1)
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) } // a bytes.Buffer takes all
	put(elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_CORE), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 2,
	})
	put(elf.Prog64{Type: uint32(elf.PT_NOTE), Off: headers, Filesz: uint64(len(note))})
	put(elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W), Off: stackAt, Vaddr: base,
		Filesz: uint64(len(stack)), Memsz: uint64(len(stack)), Align: 1,
	})
	put(note)
	put(make([]byte, int(stackAt)-b.Len()))
	put(stack)
	return b.Bytes()
}

// popped reports whether the last instruction has taken the frame pointer from the stack, so
// that the word below the stack, which is not dumped, is the frame pointer. Most call frame
// information says up to a function's end that it is there, and gdb reads it there.
func (d *oracleDump) popped() bool {
	const pop, leave = 0x5d, 0xc9
	m := d.find(d.regs[regRIP])
	if m == nil || m.image.kind != imageFile {
		return false
	}
	f := d.by.file(m.image.path)
	_, pc := f.rule(d.regs[regRIP] - m.start + m.offset)
	code := f.code(pc-1, 1)
	return len(code) == 1 && (code[0] == pop || code[0] == leave)
}

func words32(all ...uint32) (b []byte) {
	for _, v := range all {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// gdbAgrees reports whether gdb has found the addresses of the walk. It shows where a call
// returns to, and the walk the byte before that. What a thread begins with gdb may leave
// out, where nothing describes that code: for it a frame there has no frame above. And where
// a thread begins with code that does not say so, gdb goes on into what is no code.
func (d *oracleDump) gdbAgrees(gdb []uint64) bool {
	if i := slices.IndexFunc(gdb, func(ip uint64) bool { m := d.find(ip); return m == nil || !m.code }); i >= 0 {
		gdb = gdb[:i]
	}
	n := len(d.ips)
	if d.root && len(gdb) == n-1 && !d.described(d.ips[n-1]) {
		n--
	}
	for i, ip := range d.ips[:n] {
		if i >= len(gdb) || gdb[i] != ip && (i == 0 || gdb[i] != ip+1) {
			return false
		}
	}
	return len(gdb) == n
}

// gdbGivesUp reports whether gdb has the first addresses of the walk and then wanted a word
// below the stack pointer, which no dump has: gdb reads once more what a function has taken
// back from the stack.
func (d *oracleDump) gdbGivesUp(gdb gdbWalk) bool {
	n := len(gdb.ips)
	below := gdb.unread < d.regs[regRSP] && d.regs[regRSP]-gdb.unread <= pageSize
	return below && n > 0 && n < len(d.ips) && sameChain(d.ips[:n], gdb.ips)
}

// gdbGuesses reports whether gdb has the walk's addresses up to code that the file says
// nothing of, and another caller of that. There gdb looks for a frame pointer that is pushed
// first of all, and where there is none takes what is on top of the stack for a return address.
func (d *oracleDump) gdbGuesses(gdb gdbWalk) bool {
	n := 0
	for n < len(gdb.ips) && n < len(d.ips) && sameChain(d.ips[n:n+1], gdb.ips[n:n+1]) {
		n++
	}
	return n > 0 && n < len(d.ips) && !d.described(d.ips[n-1])
}

// described reports whether there is call frame information of an address.
func (d *oracleDump) described(ip uint64) bool {
	m := d.find(ip)
	if m == nil {
		return false
	}
	r, _ := d.by.file(m.image.path).rule(ip - m.start + m.offset)
	return r != nil
}
