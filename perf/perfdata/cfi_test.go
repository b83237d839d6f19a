package perfdata

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// sectionAddress is where the hand-made sections lie.
const sectionAddress = 0x400000

// A frameBuilder writes call frame information by hand.
type frameBuilder struct {
	data  []byte
	debug bool // as .debug_frame
}

// entry writes one: its length, the id, and the body.
func (b *frameBuilder) entry(id uint32, body ...byte) (offset int) {
	offset = len(b.data)
	b.data = binary.LittleEndian.AppendUint32(b.data, uint32(len(body)+4))
	b.data = binary.LittleEndian.AppendUint32(b.data, id)
	b.data = append(b.data, body...)
	return offset
}

// cie writes a common entry: everything behind its id.
func (b *frameBuilder) cie(body ...byte) (offset int) {
	if b.debug {
		return b.entry(0xffffffff, body...)
	}
	return b.entry(0, body...)
}

// fde writes the entry of a function: everything behind the pointer to its CIE.
func (b *frameBuilder) fde(cie int, body ...byte) (offset int) {
	if b.debug {
		return b.entry(uint32(cie), body...)
	}
	return b.entry(uint32(len(b.data)+4-cie), body...)
}

func (b *frameBuilder) section() *frameSection {
	name := ".eh_frame"
	if b.debug {
		name = ".debug_frame"
	}
	return &frameSection{name: name, data: b.data, debug: b.debug, bases: pointerBases{section: sectionAddress}}
}

// usualCIE is that of a compiler, with absolute addresses of four bytes: the frame lies 8
// above rsp, the return address at its end.
var usualCIE = []byte{1, 'z', 'R', 0, 1, 0x78, regRIP, 1, pointerUdata4, cfaDefCFA, regRSP, 8, cfaOffset | regRIP, 1}

// at4 is the head of an FDE of usualCIE.
func at4(start, size uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, start)
	return append(binary.LittleEndian.AppendUint32(b, size), 0)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// tableOf indexes hand-made sections.
func tableOf(sections ...*frameSection) (*unwindTable, error) {
	table := &unwindTable{}
	var faults []error
	for _, s := range sections {
		faults = append(faults, table.add(s, addressRange{0, 1 << 32}))
	}
	return table, errors.Join(faults...)
}

// rowsOf are the rows of the function i of a table, as text.
func rowsOf(table *unwindTable, i int) (string, error) {
	s, f, err := table.function(i)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	_, err = f.run(s, func(pc uint64, r *frameRule) error {
		fmt.Fprintf(&b, "%x %s\n", pc, ruleText(s, r))
		return nil
	})
	return b.String(), err
}

// ruleText writes a rule as readelf and its like do: the frame's address, then the
// registers that have a rule.
func ruleText(s *frameSection, r *frameRule) string {
	text := "cfa=" + oneRule(s, r.cfa)
	for reg, rule := range r.regs {
		if rule.kind != ruleSame {
			text += fmt.Sprintf(" r%d=%s", reg, oneRule(s, rule))
		}
	}
	if r.signal {
		text += " signal"
	}
	return text
}

func oneRule(s *frameSection, r rule) string {
	switch r.kind {
	case ruleUndefined:
		return "u"
	case ruleOffset:
		return fmt.Sprintf("c%+d", r.n)
	case ruleValOffset:
		return fmt.Sprintf("v%+d", r.n)
	case ruleRegister:
		return fmt.Sprintf("r%d%+d", r.reg, r.n)
	case ruleExpression:
		return fmt.Sprintf("exp(%x)", expressionBytes(s, r))
	case ruleValExpression:
		return fmt.Sprintf("vexp(%x)", expressionBytes(s, r))
	}
	return "s"
}

func TestEachStep(t *testing.T) {
	const begin = "cfa=r7+8 r16=c-8"
	for _, test := range []struct {
		name  string
		steps []byte
		want  []string
	}{
		{"none", nil, []string{"1000 " + begin}},
		{"nop", []byte{cfaNop, cfaNop}, []string{"1000 " + begin}},
		{"advance_loc", []byte{cfaAdvanceLoc | 1, cfaDefCFAOffset, 16, cfaAdvanceLoc | 63, cfaDefCFAOffset, 24},
			[]string{"1000 " + begin, "1001 cfa=r7+16 r16=c-8", "1040 cfa=r7+24 r16=c-8"}},
		{"advance_loc of nothing", []byte{cfaAdvanceLoc, cfaDefCFAOffset, 16}, []string{"1000 cfa=r7+16 r16=c-8"}},
		{"advance_loc1", []byte{cfaAdvanceLoc1, 0xff, cfaDefCFAOffset, 16}, []string{"1000 " + begin, "10ff cfa=r7+16 r16=c-8"}},
		{"advance_loc2", []byte{cfaAdvanceLoc2, 1, 2, cfaDefCFAOffset, 16}, []string{"1000 " + begin, "1201 cfa=r7+16 r16=c-8"}},
		{"advance_loc4", []byte{cfaAdvanceLoc4, 1, 0, 1, 0, cfaDefCFAOffset, 16}, []string{"1000 " + begin, "11001 cfa=r7+16 r16=c-8"}},
		{"MIPS_advance_loc8", []byte{cfaAdvanceLoc8, 2, 0, 1, 0, 0, 0, 0, 0, cfaDefCFAOffset, 16},
			[]string{"1000 " + begin, "11002 cfa=r7+16 r16=c-8"}},
		{"advance_loc beyond the function", []byte{cfaAdvanceLoc4, 0, 0, 0, 8, cfaDefCFAOffset, 16}, []string{"1000 " + begin}},
		{"set_loc", []byte{cfaSetLoc, 0x34, 0x12, 0, 0, cfaDefCFAOffset, 16}, []string{"1000 " + begin, "1234 cfa=r7+16 r16=c-8"}},
		{"offset", []byte{cfaOffset | 3, 2}, []string{"1000 cfa=r7+8 r3=c-16 r16=c-8"}},
		{"offset_extended", []byte{cfaOffsetExtended, 12, 0x81, 1}, []string{"1000 cfa=r7+8 r12=c-1032 r16=c-8"}},
		{"offset_extended_sf", []byte{cfaOffsetExtendedSF, 12, 0x7e}, []string{"1000 cfa=r7+8 r12=c+16 r16=c-8"}},
		{"GNU_negative_offset_extended", []byte{cfaGNUNegativeOffsets, 12, 2}, []string{"1000 cfa=r7+8 r12=c+16 r16=c-8"}},
		{"restore", []byte{cfaOffset | 3, 2, cfaOffset | regRIP, 5, cfaAdvanceLoc | 1, cfaRestore | 3, cfaRestore | regRIP},
			[]string{"1000 cfa=r7+8 r3=c-16 r16=c-40", "1001 " + begin}},
		{"restore_extended", []byte{cfaUndefined, regRIP, cfaAdvanceLoc | 1, cfaRestoreExtended, regRIP},
			[]string{"1000 cfa=r7+8 r16=u", "1001 " + begin}},
		{"undefined", []byte{cfaUndefined, regRIP}, []string{"1000 cfa=r7+8 r16=u"}},
		{"same_value", []byte{cfaOffset | 6, 2, cfaAdvanceLoc | 1, cfaSameValue, 6},
			[]string{"1000 cfa=r7+8 r6=c-16 r16=c-8", "1001 " + begin}},
		{"register", []byte{cfaRegister, regRIP, 5}, []string{"1000 cfa=r7+8 r16=r5+0"}},
		{"register that no sample has", []byte{cfaRegister, regRIP, 17}, []string{"1000 cfa=r7+8 r16=u"}},
		{"remember_state and restore_state", []byte{
			cfaDefCFA, regRBP, 16, cfaOffset | 6, 2, cfaRememberState, cfaAdvanceLoc | 1, cfaDefCFA, regRSP, 8, cfaRestore | 6,
			cfaAdvanceLoc | 1, cfaRestoreState},
			[]string{"1000 cfa=r6+16 r6=c-16 r16=c-8", "1001 " + begin, "1002 cfa=r6+16 r6=c-16 r16=c-8"}},
		{"def_cfa", []byte{cfaDefCFA, 10, 0}, []string{"1000 cfa=r10+0 r16=c-8"}},
		{"def_cfa_sf", []byte{cfaDefCFASF, 10, 0x7e}, []string{"1000 cfa=r10+16 r16=c-8"}},
		{"def_cfa_register", []byte{cfaDefCFARegister, regRBP}, []string{"1000 cfa=r6+8 r16=c-8"}},
		{"def_cfa_offset", []byte{cfaDefCFAOffset, 0x80, 2}, []string{"1000 cfa=r7+256 r16=c-8"}},
		{"def_cfa_offset_sf", []byte{cfaDefCFAOffsetSF, 0x7c}, []string{"1000 cfa=r7+32 r16=c-8"}},
		{"def_cfa_expression", []byte{cfaDefCFAExpression, 2, 0x77, 8}, []string{"1000 cfa=vexp(7708) r16=c-8"}},
		{"def_cfa_register after an expression", []byte{cfaDefCFAOffset, 56, cfaDefCFAExpression, 2, 0x77, 8, cfaAdvanceLoc | 1, cfaDefCFARegister, 6},
			[]string{"1000 cfa=vexp(7708) r16=c-8", "1001 cfa=r6+56 r16=c-8"}},
		{"def_cfa_offset after an expression", []byte{cfaDefCFAExpression, 2, 0x77, 8, cfaDefCFAOffset, 48, cfaAdvanceLoc | 1, cfaDefCFARegister, 6},
			[]string{"1000 cfa=vexp(7708) r16=c-8", "1001 cfa=r6+48 r16=c-8"}},
		{"def_cfa after an expression", []byte{cfaDefCFAExpression, 2, 0x77, 8, cfaDefCFA, 7, 8}, []string{"1000 " + begin}},
		{"expression", []byte{cfaExpression, 3, 2, 0x77, 0x10}, []string{"1000 cfa=r7+8 r3=exp(7710) r16=c-8"}},
		{"val_expression", []byte{cfaValExpression, 7, 2, 0x77, 0x10}, []string{"1000 cfa=r7+8 r7=vexp(7710) r16=c-8"}},
		{"val_offset", []byte{cfaValOffset, 7, 2}, []string{"1000 cfa=r7+8 r7=v-16 r16=c-8"}},
		{"val_offset_sf", []byte{cfaValOffsetSF, 7, 0x7e}, []string{"1000 cfa=r7+8 r7=v+16 r16=c-8"}},
		{"GNU_args_size", []byte{cfaGNUArgsSize, 0x90, 1, cfaDefCFAOffset, 16}, []string{"1000 cfa=r7+16 r16=c-8"}},
		{"registers that are not followed", []byte{cfaOffset | 17, 2, cfaSameValue, 0x80, 1, cfaUndefined, 33, cfaExpression, 50, 1, 0x30},
			[]string{"1000 " + begin}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b frameBuilder
			b.fde(b.cie(usualCIE...), join(at4(0x1000, 0x100000), test.steps)...)
			table, err := tableOf(b.section())
			if err != nil {
				t.Fatal(err)
			}
			got, err := rowsOf(table, 0)
			if want := strings.Join(test.want, "\n") + "\n"; got != want || err != nil {
				t.Errorf("error %v, rows\n%swant\n%s", err, got, want)
			}
		})
	}
}

func TestBrokenSteps(t *testing.T) {
	for _, test := range []struct {
		name  string
		steps []byte
		want  string
	}{
		{"unknown", []byte{0x3f}, "step 0x3f at offset 0x27 is not known"},
		{"GNU_window_save of another architecture", []byte{0x2d}, "is not known"},
		{"cut off in an advance", []byte{cfaNop, cfaNop, cfaAdvanceLoc4, 1}, "step 0x04 at offset 0x29 is cut off"},
		{"cut off in a LEB128 number", []byte{cfaNop, cfaNop, cfaDefCFAOffset, 0x80}, "is cut off"},
		{"expression longer than the entry", []byte{cfaDefCFAExpression, 0x7f, 0}, "is cut off"},
		{"restore_state alone", []byte{cfaRestoreState}, "none is remembered"},
		{"remember_state too often", bytes.Repeat([]byte{cfaRememberState}, maxSaved+1), "remembers more than 64 states"},
		{"set_loc back", []byte{cfaSetLoc, 0, 0, 0, 0}, "moves back from 0x1000 to 0x0"},
		{"advance over all addresses", append([]byte{cfaAdvanceLoc8}, bytes.Repeat([]byte{0xff}, 8)...), "moves beyond all addresses"},
		{"frame in a register that is not followed", []byte{cfaDefCFA, 17, 8}, "frame's address in register 17"},
		{"offset of more than 2 GB", []byte{cfaDefCFAOffset, 0x80, 0x80, 0x80, 0x80, 0x08}, "offset 2147483648, which no frame has"},
		{"saved at more than 2 GB", []byte{cfaOffset | 3, 0x80, 0x80, 0x80, 0x80, 0x08}, "which no frame has"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b frameBuilder
			b.fde(b.cie(usualCIE...), join(at4(0x1000, 0x1000), test.steps)...)
			table, err := tableOf(b.section())
			if err != nil {
				t.Fatal(err)
			}
			if _, err = rowsOf(table, 0); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q in it", err, test.want)
			}
			// The walk says where.
			u := newUnwinder()
			_, end := u.walk(nil, &registers{regRIP: 0x1000}, memory{}, func(uint64) (*unwindTable, uint64) { return table, 0 })
			if end != walkRefused || u.fault == nil || !strings.HasPrefix(u.fault.Error(), ".eh_frame: entry at offset 0x16: ") {
				t.Errorf("the walk ended %v, fault %v", end, u.fault)
			}
		})
	}
}

// TestRowsBeforeAFault: what comes before a broken step is used.
func TestRowsBeforeAFault(t *testing.T) {
	var b frameBuilder
	b.fde(b.cie(usualCIE...), join(at4(0x1000, 0x1000), []byte{cfaAdvanceLoc | 4, cfaDefCFAOffset, 16, cfaAdvanceLoc | 4, 0x3f})...)
	table, err := tableOf(b.section())
	if err != nil {
		t.Fatal(err)
	}
	u := newUnwinder()
	for pc, offset := range map[uint64]int32{0x1000: 8, 0x1003: 8, 0x1004: 16, 0x1007: 16} {
		if p := u.lookup(table, pc); p == nil || p.refused || p.cfaOffset != offset {
			t.Errorf("at %#x: %+v, want the frame at rsp+%d", pc, p, offset)
		}
	}
	for _, pc := range []uint64{0x1008, 0x1fff} {
		if p := u.lookup(table, pc); p == nil || !p.refused {
			t.Errorf("at %#x: %+v, want it refused", pc, p)
		}
	}
}

func TestPointerEncodings(t *testing.T) {
	const at = 16 // where the pointer stands in its section
	bases := pointerBases{section: sectionAddress, data: 0x700000, hasData: true}
	for _, test := range []struct {
		encoding byte
		bytes    string
		want     uint64
		fault    string
	}{
		{pointerAbsolute, "\x01\x02\x03\x04\x05\x06\x07\x08", 0x0807060504030201, ""},
		{pointerUleb, "\xe5\x8e\x26", 624485, ""},
		{pointerUdata2, "\xff\xfe", 0xfeff, ""},
		{pointerUdata4, "\xff\xfe\xfd\xfc", 0xfcfdfeff, ""},
		{pointerUdata8, "\x00\x00\x00\x00\x00\x00\x00\x80", 1 << 63, ""},
		{pointerSleb, "\x9b\xf1\x59", 0xfffffffffff6789b, ""},
		{pointerSdata2, "\xfe\xff", 0xfffffffffffffffe, ""},
		{pointerSdata4, "\xfe\xff\xff\xff", 0xfffffffffffffffe, ""},
		{pointerSdata8, "\xfe\xff\xff\xff\xff\xff\xff\xff", 0xfffffffffffffffe, ""},
		{pointerPCRel | pointerSdata4, "\xf0\xff\xff\xff", sectionAddress, ""},
		{pointerPCRel | pointerUdata8, "\x01\x00\x00\x00\x00\x00\x00\x00", sectionAddress + at + 1, ""},
		{pointerDataRel | pointerSdata4, "\x10\x00\x00\x00", 0x700010, ""},
		{pointerAligned, "\x05\x00\x00\x00\x00\x00\x00\x00", 5, ""},
		{pointerPCRel | pointerIndirect | pointerSdata4, "\x00\x00\x00\x00", 0, "encoding 0x9b, whose value stands in the memory"},
		{pointerTextRel | pointerUdata4, "\x00\x00\x00\x00", 0, "encoding 0x23, which is not known"},
		{pointerFuncRel | pointerUdata4, "\x00\x00\x00\x00", 0, "encoding 0x43, which is not known"},
		{0x05, "\x00\x00\x00\x00\x00\x00\x00\x00", 0, "encoding 0x05, which is not known"},
		{pointerOmitted, "\x00\x00\x00\x00\x00\x00\x00\x00", 0, "encoding 0xff"},
		{pointerUdata4, "\x00\x00\x00", 0, "cut off"},
		{pointerUleb, "\x80\x80", 0, "cut off"},
	} {
		r := cfiReader{data: append(make([]byte, at), test.bytes...), at: at}
		got, err := r.pointer(test.encoding, bases)
		if test.fault != "" {
			if err == nil || !strings.Contains(err.Error(), test.fault) {
				t.Errorf("encoding %#02x: error %v, want %q in it", test.encoding, err, test.fault)
			}
			continue
		}
		if err != nil || got != test.want || r.left() != 0 {
			t.Errorf("encoding %#02x: %#x, %v, %d bytes left; want %#x", test.encoding, got, err, r.left(), test.want)
		}
	}
	r := cfiReader{data: make([]byte, 8)}
	if _, err := r.pointer(pointerDataRel|pointerUdata4, pointerBases{}); err == nil || !strings.Contains(err.Error(), "global offset table") {
		t.Errorf("relative to a table that is not there: %v", err)
	}
	unaligned := cfiReader{data: []byte{0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0}, at: 3}
	if got, err := unaligned.pointer(pointerAligned, pointerBases{}); got != 7 || err != nil {
		t.Errorf("aligned: %d, %v", got, err)
	}
}

// TestCommonEntries reads one function behind common entries of every form.
func TestCommonEntries(t *testing.T) {
	const row = "1000 cfa=r7+8 r16=c-8"
	start8 := "\x00\x10\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00"
	start4 := "\x00\x10\x00\x00\x40\x00\x00\x00"
	const initial = "\x0c\x07\x08\x90\x01"
	for _, test := range []struct {
		name  string
		debug bool
		cie   string
		fde   string
		want  string // the row, or what is in the error
	}{
		{"version 1, no augmentation", false, "\x01\x00\x01\x78\x10" + initial, start8, row},
		{"version 3", true, "\x03\x00\x01\x78\x10" + initial, start8, row},
		{"version 3 with a long column", true, "\x03\x00\x01\x78\x90\x00" + initial, start8, row},
		{"version 4", true, "\x04\x00\x08\x00\x01\x78\x10" + initial, start8, row},
		{"GCC 2", false, "\x01eh\x00\x11\x22\x33\x44\x55\x66\x77\x88\x01\x78\x10" + initial, start8, row},
		{"zR", false, "\x01zR\x00\x01\x78\x10\x01\x03" + initial, start4 + "\x00", row},
		{"zR without addresses' size", false, "\x01z\x00\x01\x78\x10\x00" + initial, start8 + "\x00", row},
		{"zPLR", false, "\x01zPLR\x00\x01\x78\x10\x07\x9b\x11\x22\x33\x44\x1b\x03" + initial, start4 + "\x04\x00\x00\x00\x00", row},
		{"zRS", false, "\x01zRS\x00\x01\x78\x10\x01\x03" + initial, start4 + "\x00", row + " signal"},
		{"z, with more data than letters", false, "\x01zR\x00\x01\x78\x10\x03\x03\xaa\xbb" + initial, start4 + "\x00", row},
		{"set_loc of the encoding's size", false, "\x01zR\x00\x01\x78\x10\x01\x03" + initial, start4 + "\x00\x01\x10\x10\x00\x00\x0e\x10",
			row + "\n1010 cfa=r7+16 r16=c-8"},
		{"code alignment", false, "\x01zR\x00\x04\x78\x10\x01\x03" + initial, start4 + "\x00\x42\x0e\x10", row + "\n1008 cfa=r7+16 r16=c-8"},
		{"version 2", true, "\x02\x00\x01\x78\x10" + initial, start8, "common entry at offset 0x0 has version 2"},
		{"32-bit addresses", true, "\x04\x00\x04\x00\x01\x78\x10" + initial, start8, "addresses of 4 bytes"},
		{"segments", true, "\x04\x00\x08\x02\x01\x78\x10" + initial, start8, "segments of 2"},
		{"augmentation of unknown size", false, "\x01armcc+\x00\x01\x78\x10" + initial, start8, `"armcc+", whose size is not known`},
		{"unknown letter", false, "\x01zRX\x00\x01\x78\x10\x01\x03" + initial, start4 + "\x00", `"zRX", which is not known`},
		{"augmentation without an end", false, "\x01zRzRzRzRzRzRzRzRzRzRzRz", start4 + "\x00", "cut off"},
		{"return address elsewhere", false, "\x01\x00\x01\x78\x1e" + initial, start8, "return address in column 30"},
		{"a part of what is not there", false, "\x01\x00\x01\x78\x10\x0d\x07", start8, "it has none yet"},
		{"advance in a common entry", false, "\x01\x00\x01\x78\x10\x41", start8, "moves on, which only a function can"},
		{"restore in a common entry", false, "\x01\x00\x01\x78\x10\xc3", start8, "stands in one"},
		{"indirect addresses", false, "\x01zR\x00\x01\x78\x10\x01\x9b" + initial, start4 + "\x00", "memory of the process"},
		{"augmentation data beyond the entry", false, "\x01zR\x00\x01\x78\x10\x7f\x03", start4 + "\x00", "cut off"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := frameBuilder{debug: test.debug}
			b.fde(b.cie([]byte(test.cie)...), []byte(test.fde)...)
			table, err := tableOf(b.section())
			if err != nil {
				if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "entry at offset 0x") {
					t.Errorf("error %v, want %q in it, and the entry's offset", err, test.want)
				}
				return
			}
			if got, err := rowsOf(table, 0); err != nil || got != test.want+"\n" {
				t.Errorf("error %v, rows\n%swant\n%s", err, got, test.want)
			}
		})
	}
}

// TestBrokenEntries: a broken entry is passed over, and the error says where it is. One
// whose length is broken ends the section, since nothing says where the next begins.
func TestBrokenEntries(t *testing.T) {
	good := func(b *frameBuilder, start uint32) { b.fde(b.cie(usualCIE...), at4(start, 16)...) }
	for _, test := range []struct {
		name  string
		write func(b *frameBuilder)
		want  string
		kept  int
	}{
		{"CIE outside", func(b *frameBuilder) { b.entry(0x7000, at4(0, 16)...) }, "entry at offset 0x27: names a common entry outside", 2},
		{"CIE is an FDE", func(b *frameBuilder) { b.entry(uint32(len(b.data)+4-0x16), at4(0, 16)...) }, "common entry at offset 0x16 is none", 2},
		{"CIE is itself", func(b *frameBuilder) { b.entry(4, at4(0, 16)...) }, "common entry at offset 0x27 is none", 2},
		{"no addresses", func(b *frameBuilder) { b.data = append(b.data, 4, 0, 0, 0, 0x2b, 0, 0, 0) }, "entry at offset 0x27: is cut off", 2},
		{"shorter than its head", func(b *frameBuilder) { b.data = append(b.data, 2, 0, 0, 0, 0, 0) }, "entry at offset 0x27: is cut off", 2},
		{"longer than the section", func(b *frameBuilder) { b.data = append(b.data, 0, 0, 0, 1) }, "entry at offset 0x27: is longer than the section", 1},
		{"64-bit length beyond all", func(b *frameBuilder) { b.data = append(b.data, bytes.Repeat([]byte{0xff}, 12)...) }, "is longer than the section", 1},
		{"terminator in the middle", func(b *frameBuilder) { b.data = append(b.data, 0, 0, 0, 0) }, "", 2},
		{"of no size", func(b *frameBuilder) { b.fde(0, at4(0x5000, 0)...) }, "", 2},
		{"the same again", func(b *frameBuilder) { good(b, 0x1000) }, "", 2},
		{"overlapping", func(b *frameBuilder) { good(b, 0x100f) }, "", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b frameBuilder
			good(&b, 0x1000)
			test.write(&b)
			good(&b, 0x2000)
			table, err := tableOf(b.section())
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q in it", err, test.want)
			}
			if len(table.fdes) != test.kept {
				t.Errorf("%d functions, want %d", len(table.fdes), test.kept)
			}
		})
	}
}

func TestLongEntries(t *testing.T) {
	// The 64-bit form: in .debug_frame the id has eight bytes too, in .eh_frame four.
	long := func(debug bool, id uint64, body []byte) []byte {
		b := binary.LittleEndian.AppendUint32(nil, 0xffffffff)
		if debug {
			b = binary.LittleEndian.AppendUint64(b, uint64(len(body)+8))
			return append(binary.LittleEndian.AppendUint64(b, id), body...)
		}
		b = binary.LittleEndian.AppendUint64(b, uint64(len(body)+4))
		return append(binary.LittleEndian.AppendUint32(b, uint32(id)), body...)
	}
	addresses := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, 0x1000), 0x10)
	plainCIE := []byte{1, 0, 1, 0x78, regRIP, cfaDefCFA, regRSP, 8, cfaOffset | regRIP, 1}
	for _, debug := range []bool{false, true} {
		b := frameBuilder{debug: debug}
		if debug {
			b.data = long(true, ^uint64(0), plainCIE)
			b.data = append(b.data, long(true, 0, addresses)...)
		} else {
			b.data = long(false, 0, plainCIE)
			b.data = append(b.data, long(false, uint64(len(b.data)+12), addresses)...)
		}
		table, err := tableOf(b.section())
		if err != nil || len(table.fdes) != 1 {
			t.Fatalf("debug %v: %d functions, %v", debug, len(table.fdes), err)
		}
		if got, err := rowsOf(table, 0); got != "1000 cfa=r7+8 r16=c-8\n" || err != nil {
			t.Errorf("debug %v: %q, %v", debug, got, err)
		}
	}
}

// TestSectionsMerge: a function of .eh_frame goes before the same one of .debug_frame,
// which adds those that .eh_frame lacks, in whatever order they stand.
func TestSectionsMerge(t *testing.T) {
	var eh frameBuilder
	c := eh.cie(usualCIE...)
	eh.fde(c, join(at4(0x3000, 0x10), []byte{cfaDefCFAOffset, 24})...)
	eh.fde(c, join(at4(0x1000, 0x10), []byte{cfaDefCFAOffset, 24})...)
	debug := frameBuilder{debug: true}
	c = debug.cie(1, 0, 1, 0x78, regRIP, cfaDefCFA, regRSP, 32, cfaOffset|regRIP, 1)
	for _, start := range []uint64{0x3008, 0x2000, 0x1000, 0x4000, 0x2ff8, 0} {
		debug.fde(c, binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, start), 0x10)...)
	}
	table := &unwindTable{base: 0x1000}
	text := addressRange{0x1000, 0x5000}
	if err := errors.Join(table.add(eh.section(), text), table.add(debug.section(), text)); err != nil {
		t.Fatal(err)
	}
	u := newUnwinder()
	var got []string
	for _, pc := range []uint64{0x0, 0xfff, 0x1000, 0x100f, 0x1010, 0x2000, 0x2ff8, 0x3000, 0x300f, 0x3010, 0x4000, 0x400f, 0x4010, 1 << 40} {
		p := u.lookup(table, pc)
		if p == nil {
			got = append(got, fmt.Sprintf("%x -", pc))
			continue
		}
		got = append(got, fmt.Sprintf("%x %d", pc, p.cfaOffset))
	}
	want := []string{"0 -", "fff -", "1000 24", "100f 24", "1010 -", "2000 32", "2ff8 -", "3000 24", "300f 24", "3010 -",
		"4000 32", "400f 32", "4010 -", "10000000000 -"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
