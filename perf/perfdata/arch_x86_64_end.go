package perfdata

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// What GCC adds to each file in front of the file's own code (crtstuff.c of libgcc) has no
// call frame information. The function that ends the file pushes rbp, calls, and pops rbp.
// Before it stand two that push nothing, the first of which it calls.
const (
	longestEnd    = 128  // of its code
	longestClones = 256  // of both before it
	nearCall      = 0xe8 // with a distance of four bytes
)

var (
	endDone    = []byte("\xc6\x05")     // movb $1,n(%rip), before rbp is popped
	endReturn  = []byte("\x01\x5d\xc3") // the 1; pop %rbp; ret
	clonesJump = []byte("\xff\xe0")     // jmp *%rax, one in each of the two
)

// appendEndFrames appends the frames of these functions of an object.
func appendEndFrames(b []byte, o *object) ([]byte, error) {
	start, err := firstFinisher(o)
	if err != nil || start == 0 || start > start+longestEnd {
		return b, err
	}
	code, err := codeAt(o.elf, start, start+longestEnd)
	if err != nil {
		return b, err
	}
	pushed, done := endForm(code)
	if done == 0 {
		return b, nil
	}
	popped := done + len(endDone) + 4 + len(endReturn) - 1
	b = appendCodeFrame(b, start, uint64(popped)+1,
		cfaAdvanceLoc|byte(pushed), cfaDefCFAOffset, 2*wordSize, cfaOffset|regRBP, 2,
		cfaAdvanceLoc1, byte(popped-pushed), cfaDefCFAOffset, wordSize, cfaRestore|regRBP)
	if code[done-5] != nearCall {
		return b, nil
	}
	clones := start + uint64(done) + uint64(int64(int32(binary.LittleEndian.Uint32(code[done-4:]))))
	if clones >= start || start-clones > longestClones {
		return b, nil
	}
	if code, err = codeAt(o.elf, clones, start); err == nil && bytes.Count(code, clonesJump) == 2 {
		b = appendCodeFrame(b, clones, start-clones)
	}
	return b, err
}

// endForm is where rbp has been pushed in the function that ends a file, and where it notes
// that it has run; zero: it is another function.
func endForm(code []byte) (pushed, done int) {
	at := len(code) - len(bytes.TrimPrefix(code, endBranch))
	// cmpb $0,n(%rip); jne; push %rbp
	if len(code) < at+10 || code[at] != 0x80 || code[at+1] != 0x3d || code[at+7] != 0x75 || code[at+9] != 0x55 {
		return 0, 0
	}
	pushed = at + 10
	n := bytes.Index(code[pushed:], endDone)
	if n < 5 || !bytes.HasPrefix(code[min(pushed+n+6, len(code)):], endReturn) {
		return 0, 0
	}
	return pushed, pushed + n
}

// appendCodeFrame appends the entry of a function.
func appendCodeFrame(b []byte, start, size uint64, steps ...byte) []byte {
	body := binary.LittleEndian.AppendUint64(nil, start)
	body = binary.LittleEndian.AppendUint64(body, size)
	return appendFrameEntry(b, 0, append(body, steps...))
}

// firstFinisher is the address of the first function that ends an object, or 0. Where the
// linker leaves its place empty, a relocation fills it.
func firstFinisher(o *object) (uint64, error) {
	array, slot, err := o.section(".fini_array")
	if err != nil || len(array) < wordSize {
		return 0, err
	}
	if start := binary.LittleEndian.Uint64(array); start != 0 {
		return start, nil
	}
	if s := o.elf.Section(".rela.dyn"); s == nil || s.Size > maxFrameSection {
		return 0, nil
	}
	all, _, err := o.section(".rela.dyn")
	for ; err == nil && len(all) >= 24; all = all[24:] { // where, type and symbol, addend
		if binary.LittleEndian.Uint64(all) == slot && binary.LittleEndian.Uint64(all[8:]) == uint64(elf.R_X86_64_RELATIVE) {
			return binary.LittleEndian.Uint64(all[16:]), nil
		}
	}
	return 0, err
}
