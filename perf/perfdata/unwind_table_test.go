package perfdata

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zlib"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// tableText is all functions and rows of a table, and checks that find finds them.
func tableText(t *testing.T, table *unwindTable) map[uint64]string {
	t.Helper()
	text := map[uint64]string{}
	for i := range table.fdes {
		rows, err := rowsOf(table, i)
		if err != nil {
			t.Fatal(err)
		}
		start := table.base + uint64(table.fdes[i].start)
		last := start + uint64(table.fdes[i].size) - 1
		if table.find(start) != i || table.find(last) != i {
			t.Errorf("function %d at %#x to %#x is not found", i, start, last)
		}
		if table.sections[table.fdes[i].section].name == stubSection {
			continue // the file says nothing of it
		}
		text[start] = rows
	}
	return text
}

func loadedText(t *testing.T, path string, debug ...string) map[uint64]string {
	t.Helper()
	o := mustOpenObject(t, path)
	defer o.Close()
	var more []*object
	for _, d := range debug {
		d := mustOpenObject(t, d)
		defer d.Close()
		more = append(more, d)
	}
	table, err := loadUnwindTable(o, more...)
	if err != nil {
		t.Fatal(err)
	}
	return tableText(t, table)
}

// TestTableForms reads the same program in the forms in which its tables can come: all
// give the same rows as its .eh_frame.
func TestTableForms(t *testing.T) {
	objcopy := testenv.Tool(t, "objcopy")
	program := compileProgram(t, "gcc", "forms.c", "-O2", "-g", "-DBOTH", "-gz=none")
	want := loadedText(t, program)
	dir := t.TempDir()
	copied := func(name string, args ...string) string {
		out := filepath.Join(dir, name)
		if log, err := exec.CommandContext(t.Context(), objcopy, append(args, program, out)...).CombinedOutput(); err != nil {
			t.Fatalf("objcopy %v: %v\n%s", args, err, log)
		}
		return out
	}
	const noEHFrame, noHeader = "--remove-section=.eh_frame", "--remove-section=.eh_frame_hdr"

	if got := loadedText(t, withoutSections(t, program)); len(got) != len(want) || !covers(want, got) {
		t.Errorf("without sections: %d functions, want the %d of .eh_frame", len(got), len(want))
	}
	for _, compression := range []string{"none", "zlib", "zlib-gabi", "zlib-gnu", "zstd"} {
		path := filepath.Join(dir, compression)
		log, err := exec.CommandContext(t.Context(), objcopy, "--compress-debug-sections="+compression, noEHFrame, noHeader, program, path).CombinedOutput()
		if err != nil {
			t.Logf("objcopy cannot compress with %s: %s", compression, log)
			continue
		}
		// .debug_frame has the functions of the C file alone.
		if got := loadedText(t, path); len(got) < 10 || !covers(want, got) {
			t.Errorf("%s: %d functions differ from the %d of .eh_frame", compression, len(got), len(want))
		}
	}
	stripped := copied("stripped", "--strip-all", noEHFrame, noHeader)
	debug := copied("debug", "--only-keep-debug")
	// The sections with call stubs are all that is left.
	if got := loadedText(t, stripped); len(got) > len(stubSections) || !covers(want, got) {
		t.Errorf("%d functions without any table", len(got))
	}
	if got := loadedText(t, stripped, debug); len(got) < 10 || !covers(want, got) {
		t.Errorf("separate file: %d functions differ from the %d of .eh_frame", len(got), len(want))
	}
}

// covers reports whether all functions of got have the rows that want has.
func covers(want, got map[uint64]string) bool {
	for start, rows := range got {
		if want[start] != rows {
			return false
		}
	}
	return true
}

// withoutSections copies a program and wipes its section headers, as some packers do.
func withoutSections(t *testing.T, program string) string {
	t.Helper()
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	clear(data[0x28:0x30]) // e_shoff
	clear(data[0x3c:0x40]) // e_shnum, e_shstrndx
	return writeTemp(t, data)
}

func writeTemp(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "object")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// An elfBuilder writes the smallest file that has a table: an executable segment, and one
// for .eh_frame_hdr with .eh_frame behind it.
type elfBuilder struct {
	machine     elf.Machine
	kind        elf.Type
	class       elf.Class
	textAddress uint64
	textSize    uint64
	header      []byte // .eh_frame_hdr
	headerAt    uint64 // its address; it lies in the file behind the program headers
	frames      []byte // behind it
}

func (b *elfBuilder) bytes() []byte {
	const fileHeader, programHeader = 64, 56
	offset := uint64(fileHeader + 3*programHeader)
	content := append(append([]byte(nil), b.header...), b.frames...)
	order := binary.LittleEndian
	d := []byte{0x7f, 'E', 'L', 'F', byte(b.class), 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	d = order.AppendUint16(d, uint16(b.kind))
	d = order.AppendUint16(d, uint16(b.machine))
	d = order.AppendUint32(d, 1)
	for _, v := range []uint64{0, fileHeader, 0} {
		d = order.AppendUint64(d, v)
	}
	d = order.AppendUint32(d, 0)
	for _, v := range []uint16{fileHeader, programHeader, 3, 64, 0, 0} {
		d = order.AppendUint16(d, v)
	}
	segment := func(kind elf.ProgType, flags elf.ProgFlag, offset, address, fileSize, size uint64) {
		d = order.AppendUint32(d, uint32(kind))
		d = order.AppendUint32(d, uint32(flags))
		for _, v := range []uint64{offset, address, address, fileSize, size, 8} {
			d = order.AppendUint64(d, v)
		}
	}
	segment(elf.PT_LOAD, elf.PF_R|elf.PF_X, 0, b.textAddress, 0, b.textSize)
	segment(elf.PT_LOAD, elf.PF_R, offset, b.headerAt, uint64(len(content)), uint64(len(content)))
	segment(elf.PT_GNU_EH_FRAME, elf.PF_R, offset, b.headerAt, uint64(len(b.header)), uint64(len(b.header)))
	return append(d, content...)
}

// usualELF has one function, at 0x1000, whose table is found by the header alone.
func usualELF() *elfBuilder {
	var b frameBuilder
	b.fde(b.cie(usualCIE...), join(at4(0x1000, 16), []byte{cfaDefCFAOffset, 24})...)
	return &elfBuilder{
		machine: elf.EM_X86_64, kind: elf.ET_DYN, class: elf.ELFCLASS64, textAddress: 0x1000, textSize: 0x1000,
		// version 1; the pointer relative to itself; no table; it points 4 bytes on
		header:   []byte{1, pointerPCRel | pointerSdata4, pointerOmitted, pointerOmitted, 4, 0, 0, 0},
		headerAt: 0x8000,
		// The bytes behind the terminator would be an entry that is too long.
		frames: append(b.data, 0, 0, 0, 0, 0xaa, 0xaa, 0xaa, 0xaa),
	}
}

func loadBytes(t testing.TB, data []byte) (*unwindTable, error) {
	t.Helper()
	o := mustOpenObject(t, writeTemp(t, data))
	defer o.Close()
	return loadUnwindTable(o)
}

func TestTableByHeader(t *testing.T) {
	for name, change := range map[string]func(*elfBuilder){
		"relative to itself": func(*elfBuilder) {},
		"relative to the header": func(b *elfBuilder) {
			b.header = []byte{1, pointerDataRel | pointerSdata4, pointerOmitted, pointerOmitted, 8, 0, 0, 0}
		},
		"absolute": func(b *elfBuilder) {
			b.header = []byte{1, pointerUdata4, pointerOmitted, pointerOmitted, 0x08, 0x80, 0, 0}
		},
	} {
		b := usualELF()
		change(b)
		table, err := loadBytes(t, b.bytes())
		if err != nil || len(table.fdes) != 1 {
			t.Errorf("%s: %d functions, %v; want one", name, len(table.fdes), err)
		}
	}
}

func TestTablesThatAreRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*elfBuilder)
		want   string
	}{
		{"another architecture", func(b *elfBuilder) { b.machine = elf.EM_AARCH64 }, "unwound for x86-64 only, not for EM_AARCH64"},
		{"not linked", func(b *elfBuilder) { b.kind = elf.ET_REL }, "ET_REL is not linked"},
		{"no text", func(b *elfBuilder) { b.textSize = 0 }, "has no executable segment"},
		{"text over all addresses", func(b *elfBuilder) { b.textSize = math.MaxUint64 }, "has no executable segment"},
		{"too much text", func(b *elfBuilder) { b.textSize = 1 << 33 }, "more than the 4 GB"},
		{"header of another version", func(b *elfBuilder) { b.header[0] = 2 }, ".eh_frame_hdr at offset 0xe8: has version 2"},
		{"header cut off", func(b *elfBuilder) { b.header = b.header[:5] }, ".eh_frame_hdr at offset 0xe8: is cut off"},
		{"header points nowhere", func(b *elfBuilder) { b.header[7] = 0x40 }, "points to 0x40008008, where the file has nothing"},
		{"header points through memory", func(b *elfBuilder) { b.header[1] |= pointerIndirect }, "memory of the process"},
	} {
		b := usualELF()
		test.change(b)
		table, err := loadBytes(t, b.bytes())
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q in it", test.name, err, test.want)
		}
		if table == nil || len(table.fdes) != 0 {
			t.Errorf("%s: the table is %+v, want an empty one", test.name, table)
		}
	}
}

func TestOldCompressionThatIsBroken(t *testing.T) {
	for _, test := range []struct{ raw, want string }{
		{"ZLIB", "mark"},
		{"ZSTD00000000", "mark"},
		{"ZLIB\x7f\x00\x00\x00\x00\x00\x00\x00", "more than the"},
		{"ZLIB\x00\x00\x00\x00\x00\x00\x00\x01", "EOF"},
		{"ZLIB\x00\x00\x00\x00\x00\x00\x00\x01no zlib", "zlib"},
		{"ZLIB\x00\x00\x00\x00\x00\x00\x00\x09\x78\x9c\x4b\x04\x00\x00\x62\x00\x62", "has 1 bytes uncompressed, not the 9"},
	} {
		if _, err := inflateOld([]byte(test.raw)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error %v, want %q in it", test.raw, err, test.want)
		}
	}
}

// TestCompressionThatIsALie: what a section says to become takes no memory, nor more than
// what was compressed can be worth.
func TestCompressionThatIsALie(t *testing.T) {
	var stream bytes.Buffer
	z := zlib.NewWriter(&stream)
	if _, err := z.Write(make([]byte, 1<<20)); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	section := func(size uint64) []byte {
		head := binary.LittleEndian.AppendUint64([]byte{byte(elf.COMPRESS_ZLIB), 0, 0, 0, 0, 0, 0, 0}, size)
		return append(binary.LittleEndian.AppendUint64(head, 1), stream.Bytes()...)
	}
	for size, want := range map[uint64]string{
		1 << 20: "more than the", 1 << 40: "more than the", 100: "", 1000: "",
	} {
		data, err := decompress(bytes.NewReader(section(size)), uint64(len(section(size))), elf.ELFCLASS64, binary.LittleEndian)
		if want == "" && (err != nil || uint64(len(data)) != size) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d bytes: %d and %v, want %q", size, len(data), err, want)
		}
	}
}

func FuzzUnwindTable(f *testing.F) {
	var b frameBuilder
	b.fde(b.cie(usualCIE...), join(at4(0x1000, 16), []byte{cfaAdvanceLoc | 1, cfaDefCFAOffset, 24, cfaRememberState})...)
	f.Add(b.data, false)
	debug := frameBuilder{debug: true}
	addresses := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, 0x1000), 0x10)
	debug.fde(debug.cie(4, 0, 8, 0, 1, 0x78, regRIP, cfaDefCFA, regRSP, 32, cfaOffset|regRIP, 1), addresses...)
	f.Add(debug.data, true)
	f.Fuzz(func(t *testing.T, data []byte, debug bool) {
		s := (&frameBuilder{data: data, debug: debug}).section()
		table, _ := tableOf(s)
		u := newUnwinder()
		rows := 0
		for i := range table.fdes {
			if i > 0 && table.fdes[i].start < table.fdes[i-1].start+table.fdes[i-1].size {
				t.Errorf("functions %d and %d overlap", i-1, i)
			}
			start := uint64(table.fdes[i].start)
			p := u.lookup(table, table.base+start)
			if p == nil {
				t.Errorf("function %d at %#x has no row", i, start)
			}
			rows = len(u.tables[table].rows)
		}
		// Each row takes a step of its own, or a function.
		if rows > len(data) {
			t.Errorf("%d rows of %d bytes", rows, len(data))
		}
	})
}
