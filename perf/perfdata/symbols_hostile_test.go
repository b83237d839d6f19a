package perfdata

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"
	"testing"
)

// An objectPart is a section of an object that no linker has made.
type objectPart struct {
	elf.SectionHeader
	data []byte
}

// objectOf lays sections one behind the other; link i names the part i.
func objectOf(parts ...objectPart) *object {
	e := &elf.File{FileHeader: elf.FileHeader{Class: elf.ELFCLASS64, ByteOrder: binary.LittleEndian, Machine: elf.EM_X86_64}}
	var file []byte
	for _, p := range parts {
		if p.data != nil {
			p.Offset, p.FileSize = uint64(len(file)), uint64(len(p.data))
			file = append(file, p.data...)
		}
		e.Sections = append(e.Sections, &elf.Section{SectionHeader: p.SectionHeader})
	}
	return &object{path: "hostile", file: memoryFile{bytes.NewReader(file)}, elf: e}
}

// TestNamesWithoutEnd: what all symbols are called together is bounded, or else symbols of
// 24 bytes each could have a table of names of megabytes searched for its end.
func TestNamesWithoutEnd(t *testing.T) {
	o := objectOf(
		objectPart{elf.SectionHeader{Name: ".symtab", Type: elf.SHT_SYMTAB, Link: 1}, make([]byte, 5000*elf.Sym64Size)},
		objectPart{elf.SectionHeader{Name: ".strtab", Type: elf.SHT_STRTAB}, bytes.Repeat([]byte{'a'}, 1<<20)},
	)
	_, err := readRawSymbols(o, ".symtab")
	if err == nil || !strings.Contains(err.Error(), "hostile: section .symtab: the names of its first 66 symbols have far more bytes") {
		t.Errorf("error %v", err)
	}
	shared := objectOf(
		objectPart{elf.SectionHeader{Name: ".symtab", Type: elf.SHT_SYMTAB, Link: 1}, make([]byte, 5000*elf.Sym64Size)},
		objectPart{elf.SectionHeader{Name: ".strtab", Type: elf.SHT_STRTAB}, []byte("name of them all\x00")},
	)
	if all, err := readRawSymbols(shared, ".symtab"); err != nil || len(all) != 4999 || all[4998].name != "name of them all" {
		t.Errorf("%d symbols, %v", len(all), err)
	}
}

// TestStubsOverOneAnother: a file may have thousands of sections, all of the same bytes.
func TestStubsOverOneAnother(t *testing.T) {
	slot := binary.LittleEndian.AppendUint64(nil, 0x3000)
	slot = binary.LittleEndian.AppendUint64(slot, 1<<32|uint64(elf.R_X86_64_JMP_SLOT))
	parts := []objectPart{
		{elf.SectionHeader{Name: ".dynsym", Type: elf.SHT_DYNSYM, Link: 1}, make([]byte, 2*elf.Sym64Size)},
		{elf.SectionHeader{Name: ".dynstr", Type: elf.SHT_STRTAB}, []byte("malloc\x00")},
		{elf.SectionHeader{Name: ".rela.plt", Type: elf.SHT_RELA}, append(slot, 0, 0, 0, 0, 0, 0, 0, 0)},
		{elf.SectionHeader{Name: ".plt", Type: elf.SHT_PROGBITS, Flags: elf.SHF_EXECINSTR}, make([]byte, maxStubs/4)},
	}
	same := parts[3]
	same.Offset, same.FileSize = 2*elf.Sym64Size+7+24, uint64(len(same.data))
	same.data = nil
	for range 4 {
		parts = append(parts, same)
	}
	if _, err := pltSymbols(objectOf(parts...)); err == nil || !strings.Contains(err.Error(), "more than the 0x1000000 that are read") {
		t.Errorf("error %v", err)
	}
	if _, err := pltSymbols(objectOf(parts[:7]...)); err != nil {
		t.Error(err)
	}
}

// TestFilesOfNoBytes: a table of lines cannot have a million of files that take no byte.
func TestFilesOfNoBytes(t *testing.T) {
	for _, fields := range [][]byte{{0}, {1, contentPath, formFlagPresent}} {
		table := &lineTable{format: dwarfFormat{version: 5, addressSize: 8, offsetSize: 4}}
		b := &dwarfBuffer{data: append(append(fields, 100), make([]byte, 200)...)}
		if list, ok := table.readList(b, 0); ok || len(list) > 0 {
			t.Errorf("%d: %d files, %t", fields, len(list), ok)
		}
	}
}
