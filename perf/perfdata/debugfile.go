package perfdata

import (
	"bytes"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"strings"
)

// debugRoot is where distributions lay the debug information of what they install.
const debugRoot = "/usr/lib/debug"

// findDebugFile opens the separate debug file of an object: by its build-id, or by its
// .gnu_debuglink beside the object, in .debug there, or under debugRoot, as gdb(1) looks.
// nil without an error: there is none. What is found but belongs to another build is
// refused, and the error says so, unless another one fits.
func findDebugFile(o *object, open Opener) (*object, error) {
	var refused []error
	try := func(p string, fits func(*object) error) *object {
		f, err := open(p)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				refused = append(refused, fmt.Errorf("debug file of %s: %w", o.path, err))
			}
			return nil
		}
		debug, err := openObject(p, f)
		if err == nil {
			if err = fits(debug); err == nil {
				return debug
			}
		}
		refused = append(refused, fmt.Errorf("debug file of %s: %s: %w", o.path, p, err))
		_ = f.Close() // it was only read
		return nil
	}
	id := gnuBuildID(o)
	if p := buildIDPath(id); p != "" {
		if d := try(p, func(d *object) error { return sameBuild(d, id) }); d != nil {
			return d, nil
		}
	}
	name, crc, err := debugLink(o)
	if err != nil {
		return nil, err
	}
	for _, p := range linkPaths(o.path, name) {
		if d := try(p, func(d *object) error { return sameCRC(d, crc) }); d != nil {
			return d, nil
		}
	}
	return nil, errors.Join(refused...)
}

// buildIDPath is where the debug file of a build lies; "" if the id is too short for one.
func buildIDPath(id []byte) string {
	if len(id) < 2 {
		return ""
	}
	return debugRoot + "/.build-id/" + hex.EncodeToString(id[:1]) + "/" + hex.EncodeToString(id[1:]) + ".debug"
}

func linkPaths(object, name string) []string {
	if name == "" {
		return nil
	}
	dir := path.Dir(object)
	paths := []string{path.Join(dir, ".debug", name)}
	if p := path.Join(dir, name); p != object {
		paths = append([]string{p}, paths...)
	}
	if path.IsAbs(dir) {
		paths = append(paths, path.Join(debugRoot, dir, name))
	}
	return paths
}

// debugLink reads .gnu_debuglink: the name of the debug file, and its checksum.
func debugLink(o *object) (name string, crc uint32, err error) {
	data, _, err := o.section(".gnu_debuglink")
	if err != nil || data == nil {
		return "", 0, err
	}
	end := bytes.IndexByte(data, 0)
	if end < 0 || (end+4)&^3+4 > len(data) {
		return "", 0, fmt.Errorf("%s: section .gnu_debuglink: no name and checksum in %d bytes", o.path, len(data))
	}
	name = string(data[:end])
	// A name, no path: else a recording could have any file be read.
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\") {
		return "", 0, fmt.Errorf("%s: section .gnu_debuglink: %q is not the name of a file", o.path, name)
	}
	return name, o.elf.ByteOrder.Uint32(data[(end+4)&^3:]), nil
}

// findShared opens what several debug files share (dwz(1)): .gnu_debugaltlink names it, and
// its build. It is looked for by the build, then under the path, which may be relative to
// the debug file. nil without an error: nothing is shared.
func findShared(o *object, open Opener) (*object, error) {
	data, _, err := o.section(".gnu_debugaltlink")
	if err != nil || data == nil {
		return nil, err
	}
	name, id, ok := bytes.Cut(data, []byte{0})
	if !ok || len(name) == 0 || len(id) < 2 {
		return nil, fmt.Errorf("%s: section .gnu_debugaltlink: no path and build in %d bytes", o.path, len(data))
	}
	p := string(name)
	if !path.IsAbs(p) {
		p = path.Join(path.Dir(o.path), p)
	}
	var refused []error
	for _, p := range []string{buildIDPath(id), p} {
		f, err := open(p)
		if err == nil {
			shared, err := openObject(p, f)
			if err == nil {
				err = sameBuild(shared, id)
			}
			if err == nil {
				return shared, nil
			}
			refused = append(refused, fmt.Errorf("%s: %w", p, err))
			_ = f.Close() // it was only read
			continue
		}
		refused = append(refused, err)
	}
	return nil, fmt.Errorf("%s: the debug information that it shares with others: %w", o.path, errors.Join(refused...))
}

func sameBuild(o *object, id []byte) error {
	if got := gnuBuildID(o); !bytes.Equal(got, id) {
		return fmt.Errorf("is of build %x, not %x", got, id)
	}
	return nil
}

// sameCRC holds a file against the checksum of a debug link, which is that of IEEE 802.3.
func sameCRC(o *object, want uint32) error {
	h := crc32.NewIEEE()
	if _, err := io.Copy(h, io.NewSectionReader(o.file, 0, o.file.Size())); err != nil {
		return err
	}
	if got := h.Sum32(); got != want {
		return fmt.Errorf("has the checksum %#x, not %#x as the debug link says: it is of another build", got, want)
	}
	return nil
}

// gnuBuildID is the build-id of an object, from its note; nil if it has none.
func gnuBuildID(o *object) []byte {
	const kind = 3 // NT_GNU_BUILD_ID
	data, _, err := o.section(".note.gnu.build-id")
	if err != nil {
		return nil
	}
	return noteOf(data, o.elf, kind, "GNU\x00")
}

// noteOf is the content of the first note of an owner and a kind (ELF gABI, "Note Section").
func noteOf(data []byte, e *elf.File, kind uint32, owner string) []byte {
	for len(data) >= 12 {
		name, size := uint64(e.ByteOrder.Uint32(data)), uint64(e.ByteOrder.Uint32(data[4:]))
		got := e.ByteOrder.Uint32(data[8:])
		begin := 12 + (name+3)&^3
		if begin+size > uint64(len(data)) {
			return nil
		}
		if got == kind && string(data[12:12+name]) == owner {
			return data[begin : begin+size]
		}
		next := begin + (size+3)&^3
		if next > uint64(len(data)) {
			return nil
		}
		data = data[next:]
	}
	return nil
}
