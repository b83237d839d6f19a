package perfdata

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
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
	raw, err := o.rawSection(s)
	if err != nil {
		return nil, err
	}
	if s.Flags&elf.SHF_COMPRESSED != 0 {
		return decompress(raw, s.FileSize, o.elf.Class, o.elf.ByteOrder)
	}
	data := make([]byte, s.FileSize)
	_, err = io.ReadFull(raw, data)
	return data, err
}

// rawSection is a section as it stands in the file.
func (o *object) rawSection(s *elf.Section) (io.Reader, error) {
	size := o.file.Size()
	if s.Offset > uint64(size) || s.FileSize > uint64(size)-s.Offset {
		return nil, fmt.Errorf("offset %#x and size %#x lie outside of the file of %d bytes", s.Offset, s.FileSize, size)
	}
	return io.NewSectionReader(o.file, int64(s.Offset), int64(s.FileSize)), nil
}

// decompress undoes SHF_COMPRESSED.
func decompress(raw io.Reader, n uint64, class elf.Class, order binary.ByteOrder) ([]byte, error) {
	p, err := openPacked(raw, n, class, order)
	if err != nil {
		return nil, err
	}
	return p.upTo(p.size)
}
