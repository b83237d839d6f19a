package perfdata

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// A dwarfSection is one section of debug information. What is not compressed stays in the
// file: units are read as a whole, all else through a few small windows, so that memory is
// bounded by what the addresses of a recording touch. It is safe for concurrent use.
type dwarfSection struct {
	path, name string
	size       uint64
	data       []byte  // the content, where it is in memory
	packed     *packed // the content, where it is compressed
	file       io.ReaderAt
	offset     int64 // of the section in the file
	windows    [windowCount]atomic.Pointer[window]
}

// Strings and lists are a few to a few hundred bytes, and neighbours are often read
// together. 512 windows make 2 MB a section.
const (
	windowSize  = 4096
	windowCount = 512
)

type window struct {
	index uint64
	data  []byte
}

// openDWARFSection returns an empty section where the file has none.
func openDWARFSection(o *object, name string) (*dwarfSection, error) {
	d := &dwarfSection{path: o.path, name: ".debug_" + name}
	s := o.elf.Section(d.name)
	if s == nil {
		return d, d.openOld(o, ".zdebug_"+name)
	}
	name = d.name
	if s == nil || s.Type == elf.SHT_NOBITS {
		return d, nil
	}
	if s.Flags&elf.SHF_COMPRESSED != 0 {
		raw, err := o.rawSection(s)
		if err == nil {
			d.packed, err = openPacked(raw, s.FileSize, o.elf.Class, o.elf.ByteOrder)
		}
		if err != nil {
			d.packed = nil
			return d, fmt.Errorf("%s: section %s: %w", o.path, name, err)
		}
		d.size = d.packed.size
		return d, nil
	}
	size := uint64(o.file.Size())
	if s.Offset > size || s.FileSize > size-s.Offset {
		return d, fmt.Errorf("%s: section %s: offset %#x and size %#x lie outside of the file of %d bytes", o.path, name, s.Offset, s.FileSize, size)
	}
	d.file, d.offset, d.size = o.file, int64(s.Offset), s.FileSize
	return d, nil
}

// openOld opens a section that was compressed before ELF knew of such: ZLIB, the size in 8
// bytes, the highest first, and the content as zlib has it.
func (d *dwarfSection) openOld(o *object, name string) error {
	s := o.elf.Section(name)
	if s == nil {
		return nil
	}
	raw, err := o.sectionData(s)
	if err != nil {
		return fmt.Errorf("%s: section %s: %w", o.path, name, err)
	}
	const head = 12
	if len(raw) < head || string(raw[:4]) != "ZLIB" {
		return fmt.Errorf("%s: section %s does not begin with ZLIB and a size", o.path, name)
	}
	// As a section of today: kind 1, the size, and an alignment (Elf64_Chdr).
	today := make([]byte, 24, 24+len(raw)-head)
	o.elf.ByteOrder.PutUint32(today, uint32(elf.COMPRESS_ZLIB))
	o.elf.ByteOrder.PutUint64(today[8:], binary.BigEndian.Uint64(raw[4:]))
	today = append(today, raw[head:]...)
	if d.data, err = decompress(bytes.NewReader(today), uint64(len(today)), elf.ELFCLASS64, o.elf.ByteOrder); err != nil {
		return fmt.Errorf("%s: section %s: %w", o.path, name, err)
	}
	d.size = uint64(len(d.data))
	return nil
}

// inMemory reports whether parts of the section can be had without a copy, by memory.
func (d *dwarfSection) inMemory() bool { return d.data != nil || d.packed != nil }

// memory returns the begin of the section up to an end, or more of it.
func (d *dwarfSection) memory(end uint64) ([]byte, error) {
	if d.packed == nil {
		return d.data, nil
	}
	data, err := d.packed.upTo(end)
	if err != nil {
		return nil, fmt.Errorf("%s: section %s: %w", d.path, d.name, err)
	}
	return data, nil
}

// errorf is an error at an offset of the section.
func (d *dwarfSection) errorf(offset uint64, format string, args ...any) error {
	return fmt.Errorf("%s: section %s: offset %#x: %w", d.path, d.name, offset, fmt.Errorf(format, args...))
}

// read returns n bytes from an offset, which the caller must not change.
func (d *dwarfSection) read(offset, n uint64) ([]byte, error) {
	if offset > d.size || n > d.size-offset {
		return nil, d.errorf(offset, "%d bytes do not lie in a section of %d", n, d.size)
	}
	if n == 0 {
		return nil, nil
	}
	if d.inMemory() {
		data, err := d.memory(offset + n)
		if err != nil {
			return nil, err
		}
		return data[offset:][:n], nil
	}
	if first := offset / windowSize; (offset+n-1)/windowSize == first {
		w, err := d.window(first)
		if err != nil {
			return nil, err
		}
		return w[offset%windowSize:][:n], nil
	}
	out := make([]byte, n)
	return out, d.readInto(out, offset)
}

// readInto fills out from an offset. It goes around the windows.
func (d *dwarfSection) readInto(out []byte, offset uint64) error {
	n := uint64(len(out))
	if offset > d.size || n > d.size-offset {
		return d.errorf(offset, "%d bytes do not lie in a section of %d", n, d.size)
	}
	if n == 0 {
		return nil
	}
	if d.inMemory() {
		data, err := d.memory(offset + n)
		if err == nil {
			copy(out, data[offset:])
		}
		return err
	}
	if got, err := d.file.ReadAt(out, d.offset+int64(offset)); got < len(out) {
		return d.errorf(offset, "reading %d bytes: %w", n, err)
	}
	return nil
}

// window returns the part of the section with an index. Two goroutines may read the same;
// one of the copies is dropped then.
func (d *dwarfSection) window(index uint64) ([]byte, error) {
	slot := &d.windows[index%windowCount]
	if w := slot.Load(); w != nil && w.index == index {
		return w.data, nil
	}
	begin := index * windowSize
	data := make([]byte, min(windowSize, d.size-begin))
	if err := d.readInto(data, begin); err != nil {
		return nil, err
	}
	slot.Store(&window{index: index, data: data})
	return data, nil
}

// upTo returns what there is from an offset, n bytes at most.
func (d *dwarfSection) upTo(offset, n uint64) ([]byte, error) {
	if offset >= d.size {
		return nil, d.errorf(offset, "lies outside of a section of %d bytes", d.size)
	}
	return d.read(offset, min(n, d.size-offset))
}

// maxString bounds a name; those of C++ templates reach some ten thousand bytes.
const maxString = 1 << 20

// string returns the string at an offset, which a zero ends.
func (d *dwarfSection) string(offset uint64) (string, error) {
	for n := windowSize - offset%windowSize; ; n *= 4 {
		data, err := d.upTo(offset, n)
		if err != nil {
			return "", err
		}
		if end := bytes.IndexByte(data, 0); end >= 0 {
			return string(data[:end]), nil
		}
		if uint64(len(data)) < n || n > maxString {
			return "", d.errorf(offset, "a string has no end")
		}
	}
}

// A dwarfBuffer decodes what stands in bytes one after the other. Reading beyond the end
// gives zeroes and sets short, which whoever decodes asks for in the end.
type dwarfBuffer struct {
	data  []byte
	pos   int
	short bool
}

var errShort = errors.New("is cut off")

func (b *dwarfBuffer) skip(n uint64) {
	if n > uint64(len(b.data)-b.pos) {
		b.pos, b.short = len(b.data), true
		return
	}
	b.pos += int(n)
}

func (b *dwarfBuffer) u8() uint8 {
	if b.pos >= len(b.data) {
		b.short = true
		return 0
	}
	v := b.data[b.pos]
	b.pos++
	return v
}

// uint reads a number of n bytes, up to 8, the lowest first.
func (b *dwarfBuffer) uint(n int) uint64 {
	if n > len(b.data)-b.pos {
		b.pos, b.short = len(b.data), true
		return 0
	}
	var v uint64
	for i, c := range b.data[b.pos : b.pos+n] {
		v |= uint64(c) << (8 * i)
	}
	b.pos += n
	return v
}

func (b *dwarfBuffer) uleb() uint64 {
	if b.pos < len(b.data) && b.data[b.pos] < 0x80 { // most are small
		b.pos++
		return uint64(b.data[b.pos-1])
	}
	var v uint64
	for shift := uint(0); ; shift += 7 {
		c := b.u8()
		v |= uint64(c&0x7f) << shift // what is too long for 64 bits falls off
		if c < 0x80 {
			return v
		}
	}
}

func (b *dwarfBuffer) sleb() int64 {
	var v int64
	for shift := uint(0); ; {
		c := b.u8()
		v |= int64(c&0x7f) << shift
		shift += 7
		if c < 0x80 {
			if c&0x40 != 0 && shift < 64 {
				v |= -1 << shift
			}
			return v
		}
	}
}

// skipString goes behind the zero that ends a string.
func (b *dwarfBuffer) skipString() {
	n := bytes.IndexByte(b.data[b.pos:], 0)
	if n < 0 {
		b.pos, b.short = len(b.data), true
		return
	}
	b.pos += n + 1
}

// length reads the length of a unit and the size of its offsets: 4, or 8 behind the mark
// of the 64-bit format (DWARF 5, section 7.4).
func (b *dwarfBuffer) length() (n uint64, offsetSize int) {
	n = b.uint(4)
	if n == 0xffffffff {
		return b.uint(8), 8
	}
	return n, 4
}
