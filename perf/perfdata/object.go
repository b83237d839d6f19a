package perfdata

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// A File is a symbol file that has been opened for reading.
type File interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// An Opener opens the file that lies under a path which a recording names, or under one
// where the debug information of such a file lies by convention. It reports fs.ErrNotExist
// where there is none.
type Opener func(path string) (File, error)

// OpenFile is the Opener of this machine's files. What is not a regular file is refused: a
// recording that names a pipe or a device shall not hang or change anything.
func OpenFile(path string) (File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &osFile{f, info.Size()}, nil
}

type osFile struct {
	*os.File
	size int64
}

func (f *osFile) Size() int64 { return f.size }

// maxSection bounds what one section may take in memory. The largest .debug_info that is
// known of a program in use has about 4 GB; recordings are read on developers' machines.
const maxSection = 1 << 32

// An object is an ELF file that a recording maps: a program, a library, or what the kernel
// maps into every process. Its addresses are those that its own symbols use.
type object struct {
	path string
	file File
	elf  *elf.File
	// segments are the loadable parts: how offsets in the file become addresses.
	segments []segment
}

type segment struct{ offset, size, address uint64 }

// openObject reads the headers of an ELF file. The caller closes it.
func openObject(path string, f File) (*object, error) {
	e, err := elf.NewFile(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	o := &object{path: path, file: f, elf: e}
	for _, p := range e.Progs {
		if p.Type == elf.PT_LOAD {
			o.segments = append(o.segments, segment{p.Off, p.Filesz, p.Vaddr})
		}
	}
	return o, nil
}

func (o *object) Close() error { return o.file.Close() }

// addressOf translates an offset in the file into an address of the object.
func (o *object) addressOf(offset uint64) (uint64, bool) {
	for _, s := range o.segments {
		if offset >= s.offset && offset-s.offset < s.size {
			return offset - s.offset + s.address, true
		}
	}
	return 0, false
}

// section is the content of a section, uncompressed, and its address. A section that is
// not there, or has no content in this file, is nil without an error.
func (o *object) section(name string) (data []byte, address uint64, err error) {
	s := o.elf.Section(name)
	if s == nil || s.Type == elf.SHT_NOBITS {
		return nil, 0, nil
	}
	data, err = o.sectionData(s)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: section %s: %w", o.path, name, err)
	}
	return data, s.Addr, nil
}

func (o *object) sectionData(s *elf.Section) ([]byte, error) {
	size := o.file.Size()
	if s.Offset > uint64(size) || s.FileSize > uint64(size)-s.Offset {
		return nil, fmt.Errorf("offset %#x and size %#x lie outside of the file of %d bytes", s.Offset, s.FileSize, size)
	}
	raw := make([]byte, s.FileSize)
	if _, err := o.file.ReadAt(raw, int64(s.Offset)); err != nil {
		return nil, err
	}
	if s.Flags&elf.SHF_COMPRESSED == 0 {
		return raw, nil
	}
	return decompress(raw, o.elf.Class, o.elf.ByteOrder)
}

// decompress undoes SHF_COMPRESSED (ELF gABI, "Section compression").
func decompress(raw []byte, class elf.Class, order binary.ByteOrder) ([]byte, error) {
	var kind uint32
	var size uint64
	header := 24
	if class == elf.ELFCLASS32 {
		header = 12
	}
	if len(raw) < header {
		return nil, errors.New("the header of the compressed section is cut off")
	}
	kind = order.Uint32(raw)
	if class == elf.ELFCLASS32 {
		size = uint64(order.Uint32(raw[4:]))
	} else {
		size = order.Uint64(raw[8:])
	}
	if most := min(maxSection, maxInflation*uint64(len(raw))); size > most {
		return nil, fmt.Errorf("says that %d bytes become %d uncompressed, more than the %d that are read", len(raw), size, most)
	}
	var in io.Reader
	switch elf.CompressionType(kind) {
	case elf.COMPRESS_ZLIB:
		z, err := zlib.NewReader(bytes.NewReader(raw[header:]))
		if err != nil {
			return nil, err
		}
		in = z
	case elf.COMPRESS_ZSTD:
		z, err := zstd.NewReader(bytes.NewReader(raw[header:]), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		in = z
	default:
		return nil, fmt.Errorf("is compressed in a way (%d) that is not known", kind)
	}
	return inflateAll(in, size, uint64(len(raw)))
}

// maxInflation bounds how many times its compressed size a section may have. Debug
// information becomes three to five times as large, and sections of repeated names forty.
const maxInflation = 128

// inflateAll reads what shall have so many bytes. At first there is room for as many as
// sections usually have: a size that is a lie takes no memory.
func inflateAll(in io.Reader, size, compressed uint64) ([]byte, error) {
	out := make([]byte, 0, min(size, 8*compressed))
	for {
		n, err := io.ReadFull(in, out[len(out):cap(out)])
		out = out[:len(out)+n]
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, err
		}
		if err != nil || uint64(len(out)) >= size {
			break
		}
		out = slices.Grow(out, int(min(uint64(len(out)), size-uint64(len(out)))))
	}
	if uint64(len(out)) != size {
		return nil, fmt.Errorf("has %d bytes uncompressed, not the %d that it says", len(out), size)
	}
	return out, nil
}
