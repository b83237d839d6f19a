package perfdata

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A cfiReader reads call frame information. It never leaves its data: the first read
// that does sets short, and this and every later one yields zero.
type cfiReader struct {
	data  []byte
	at    int
	short bool
}

var errCFIShort = errors.New("is cut off")

func (r *cfiReader) err() error {
	if r.short {
		return errCFIShort
	}
	return nil
}

func (r *cfiReader) left() int { return len(r.data) - r.at }

// bytes takes the next n bytes. They are part of the data, not a copy.
func (r *cfiReader) bytes(n uint64) []byte {
	if r.short || n > uint64(r.left()) {
		r.short = true
		return nil
	}
	b := r.data[r.at : r.at+int(n) : r.at+int(n)]
	r.at += int(n)
	return b
}

func (r *cfiReader) u8() uint8 {
	if r.short || r.at >= len(r.data) {
		r.short = true
		return 0
	}
	r.at++
	return r.data[r.at-1]
}

// fixed reads a little-endian number of 1, 2, 4 or 8 bytes.
func (r *cfiReader) fixed(size int) uint64 {
	b := r.bytes(uint64(size))
	if b == nil {
		return 0
	}
	switch size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// signed reads a little-endian number of size bytes and extends its sign.
func (r *cfiReader) signed(size int) int64 {
	shift := 64 - 8*size
	return int64(r.fixed(size)<<shift) >> shift
}

// uleb reads an unsigned LEB128 number (DWARF 5, section 7.6). Bits above the 64th are
// dropped; padding is allowed, as assemblers write it.
func (r *cfiReader) uleb() uint64 {
	var v uint64
	for shift := uint(0); ; shift += 7 {
		b := r.u8()
		if shift < 64 {
			v |= uint64(b&0x7f) << shift
		}
		if b&0x80 == 0 {
			return v
		}
	}
}

// sleb reads a signed LEB128 number.
func (r *cfiReader) sleb() int64 {
	var v int64
	for shift := uint(0); ; {
		b := r.u8()
		if shift < 64 {
			v |= int64(b&0x7f) << shift
		}
		shift += 7
		if b&0x80 == 0 {
			if b&0x40 != 0 && shift < 64 {
				v |= -1 << shift
			}
			return v
		}
	}
}

// str reads a string that ends with a zero byte.
func (r *cfiReader) str() string {
	for i := r.at; i < len(r.data); i++ {
		if r.data[i] == 0 {
			s := string(r.data[r.at:i])
			r.at = i + 1
			return s
		}
	}
	r.short = true
	return ""
}

// The encodings of pointers in .eh_frame (Linux Standard Base Core 5.0, section 10.5.1).
const (
	pointerAbsolute = 0x00
	pointerUleb     = 0x01
	pointerUdata2   = 0x02
	pointerUdata4   = 0x03
	pointerUdata8   = 0x04
	pointerSleb     = 0x09
	pointerSdata2   = 0x0a
	pointerSdata4   = 0x0b
	pointerSdata8   = 0x0c

	pointerPCRel    = 0x10
	pointerTextRel  = 0x20
	pointerDataRel  = 0x30
	pointerFuncRel  = 0x40
	pointerAligned  = 0x50
	pointerIndirect = 0x80
	pointerOmitted  = 0xff
)

// pointerBases are what an encoded pointer can be relative to.
type pointerBases struct {
	section uint64 // where the first byte of the data lies
	data    uint64 // what "data" means: the GOT, or the start of .eh_frame_hdr
	hasData bool
}

// pointer reads a pointer that is encoded as the byte encoding says.
func (r *cfiReader) pointer(encoding byte, bases pointerBases) (uint64, error) {
	var base uint64
	switch encoding & 0x70 {
	case pointerAbsolute:
	case pointerPCRel:
		base = bases.section + uint64(r.at)
	case pointerDataRel:
		if !bases.hasData {
			return 0, errors.New("has a pointer relative to a global offset table, and the file has none")
		}
		base = bases.data
	case pointerAligned:
		// A whole word at the next address that is a multiple of its size.
		pad := -(bases.section + uint64(r.at)) & (wordSize - 1)
		r.bytes(pad)
	default:
		// Relative to the text or to a function: no compiler writes them here, and
		// what they are relative to is not said.
		return 0, fmt.Errorf("has a pointer of encoding %#02x, which is not known here", encoding)
	}
	if encoding&pointerIndirect != 0 {
		return 0, fmt.Errorf("has a pointer of encoding %#02x, whose value stands in the memory of the process", encoding)
	}
	v, err := r.plainPointer(encoding)
	return base + v, err
}

// plainPointer reads the number of an encoded pointer, without what it is relative to.
func (r *cfiReader) plainPointer(encoding byte) (uint64, error) {
	var v uint64
	switch encoding & 0x0f {
	case pointerAbsolute, pointerUdata8, pointerSdata8:
		v = r.fixed(8)
	case pointerUleb:
		v = r.uleb()
	case pointerUdata2:
		v = r.fixed(2)
	case pointerUdata4:
		v = r.fixed(4)
	case pointerSleb:
		v = uint64(r.sleb())
	case pointerSdata2:
		v = uint64(r.signed(2))
	case pointerSdata4:
		v = uint64(r.signed(4))
	default:
		return 0, fmt.Errorf("has a pointer of encoding %#02x, which is not known", encoding)
	}
	return v, r.err()
}
