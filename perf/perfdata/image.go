package perfdata

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
)

// imageKind says where the names of an image come from.
type imageKind uint8

const (
	imageFile   imageKind = iota
	imageJIT              // code without a file: from a map that the compiler has left
	imageVDSO             // what the kernel maps into every process
	imageKernel           // the kernel or a module of it
	imageNone             // from nowhere
)

// An image is something that is mapped: a file, mostly.
type image struct {
	id      int32
	kind    imageKind
	path    string
	buildID buildID // that the recording has; "" where it has none

	opened bool
	object *object // nil: it could not be opened
	err    error   // why, if that is to be told

	symbols   *symbols // nil: as object
	table     *unwindTable
	tableErr  error // why there is no table
	tableRead bool
}

// imageKey tells images apart: the file of a path can be another one in the middle of a
// recording.
type imageKey struct {
	path string
	id   buildID
}

// images are all that a recording maps.
type images struct {
	all   []*image
	byKey map[imageKey]*image
	open  Opener
	facts *facts
	vdso  func() (File, error) // of this machine; nil: of none

	// ahead are those who read the symbols of what occurs, with what inlined asks for,
	// while the recording is read.
	inlined bool
	ahead   sync.WaitGroup
}

// newImages takes the vdso from this process, if files are this machine's, too.
func newImages(open Opener, inlined bool) *images {
	return &images{byKey: map[imageKey]*image{}, open: open, vdso: ownVDSO, inlined: inlined}
}

// close closes the files.
func (s *images) close() {
	s.ahead.Wait()
	for _, i := range s.all {
		if i.symbols != nil {
			_ = i.symbols.Close() // they were only read
		}
		if i.object != nil {
			_ = i.object.Close()
		}
	}
}

// vdsoPath is the name of the object that the kernel maps into every process.
const vdsoPath = "[vdso]"

// get returns what is mapped of a path into a process.
func (s *images) get(p *process, path string, id buildID) *image {
	kind := imageFile
	switch {
	case anonymous(path):
		kind, path = imageJIT, fmt.Sprintf("/tmp/perf-%d.map", p.pid)
	case path == vdsoPath:
		kind = imageVDSO
	case noFile(path) || strings.HasPrefix(path, "["):
		kind = imageNone
	}
	key := imageKey{path, id}
	if i := s.byKey[key]; i != nil {
		return i
	}
	i := &image{id: int32(len(s.all)), kind: kind, path: path, buildID: id}
	s.all = append(s.all, i)
	s.byKey[key] = i
	return i
}

// identity is the build-id that the recording has of an image, now that all of its table
// may be known.
func (s *images) identity(i *image) buildID {
	if i.buildID != "" {
		return i.buildID
	}
	return s.facts.buildIDs[i.path]
}

// load opens an image, once.
func (s *images) load(i *image) *object {
	if i.opened {
		return i.object
	}
	i.opened = true
	switch i.kind {
	case imageFile:
		i.object, i.err = s.openFile(i)
	case imageVDSO:
		i.object, i.err = s.openVDSO(i)
	}
	if i.object != nil {
		i.symbols = newSymbols(i.object, s.open)
		s.ahead.Go(func() { i.symbols.read(s.inlined) })
	}
	return i.object
}

// addressIn translates an address of a process into one of what is mapped there. Of code
// without a file it is the same.
func (s *images) addressIn(m *mapping, ip uint64) uint64 {
	switch m.image.kind {
	case imageJIT, imageNone, imageKernel:
		return ip
	}
	offset := ip - m.start + m.offset
	if o := s.load(m.image); o != nil {
		if address, ok := o.addressOf(offset); ok {
			return address
		}
	}
	return offset
}

// signalReturn reports whether an address is where a signal handler returns to.
func (s *images) signalReturn(m *mapping, ip uint64) bool {
	if m.image.kind != imageFile && m.image.kind != imageVDSO || ip >= m.end {
		return false
	}
	o := s.load(m.image)
	if o == nil {
		return false
	}
	var code [longestSignalReturn]byte
	n, err := o.file.ReadAt(code[:], int64(ip-m.start+m.offset))
	return (err == nil || errors.Is(err, io.EOF)) && isSignalReturn(code[:n])
}

// unwindTable is how the stacks of an image are unwound. Code of which nothing tells may
// keep frame pointers.
func (s *images) unwindTable(i *image) *unwindTable {
	if i.tableRead {
		return i.table
	}
	i.tableRead, i.table = true, noUnwindTable
	o := s.load(i)
	if o == nil {
		return i.table
	}
	var debug []*object
	if d := i.symbols.debugObject(); d != nil {
		debug = append(debug, d)
	}
	t, err := loadUnwindTable(o, debug...)
	if i.tableErr = err; t != nil {
		i.table = t
	}
	return i.table
}

// errOther says that a file is not the one that was recorded.
var errOther = errors.New("is not the file that was recorded: its build-id is another one; its functions have no names here")

// openFile opens the file of a path, or the copy of it that perf keeps by build-id.
func (s *images) openFile(i *image) (*object, error) {
	if !path.IsAbs(i.path) {
		return nil, fmt.Errorf("%q is no absolute path", i.path)
	}
	want := s.identity(i)
	o, err := s.openAs(i.path, i.path, want)
	if err == nil || want == "" {
		return o, err
	}
	for _, copied := range cachedCopies(want) {
		if o, cerr := s.openAs(i.path, copied, want); cerr == nil {
			return o, nil
		}
	}
	return nil, err
}

// openAs opens a file that shall have a build-id.
func (s *images) openAs(name, from string, want buildID) (*object, error) {
	f, err := s.open(from)
	if err != nil {
		return nil, err
	}
	return checked(name, f, want)
}

func checked(name string, f File, want buildID) (*object, error) {
	o, err := openObject(name, f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if have := o.buildID(); want != "" && have != "" && !have.equal(want) {
		return nil, errors.Join(fmt.Errorf("%s %w", name, errOther), o.Close())
	}
	return o, nil
}

func (s *images) openVDSO(i *image) (*object, error) {
	if s.vdso == nil {
		return nil, fs.ErrNotExist
	}
	f, err := s.vdso()
	if err != nil {
		return nil, err
	}
	return checked(vdsoPath, f, s.identity(i))
}

// noteGNUBuildID is the type of the note that has a build-id (binutils).
const noteGNUBuildID = 3

// buildID is the build-id of an object; empty if it has none.
func (o *object) buildID() buildID {
	for _, p := range o.elf.Progs {
		if p.Type != elf.PT_NOTE || p.Filesz > 1<<16 {
			continue
		}
		b := make([]byte, p.Filesz)
		if n, err := p.ReadAt(b, 0); err != nil && n < len(b) {
			continue
		}
		if id := findBuildID(b, int(p.Align)); id != "" {
			return id
		}
	}
	return ""
}

// findBuildID looks through notes: sizes of name and content, a type, and both, each filled
// up to four bytes (ELF gABI, "Note Section"), or to eight where the segment is aligned so.
func findBuildID(b []byte, align int) buildID {
	if align != 8 {
		align = 4
	}
	up := func(n uint32) uint64 { return (uint64(n) + uint64(align) - 1) &^ (uint64(align) - 1) }
	for len(b) >= 12 {
		name, desc, kind := order.Uint32(b), order.Uint32(b[4:]), order.Uint32(b[8:])
		descAt := (12 + uint64(name) + uint64(align) - 1) &^ (uint64(align) - 1)
		if descAt+uint64(desc) > uint64(len(b)) {
			return ""
		}
		if kind == noteGNUBuildID && name == 4 && bytes.HasPrefix(b[12:], []byte("GNU\x00")) {
			return toBuildID(b[descAt : descAt+uint64(desc)])
		}
		b = b[min(descAt+up(desc), uint64(len(b))):]
	}
	return ""
}

// memoryFile is a File whose content is in memory.
type memoryFile struct{ *bytes.Reader }

func (memoryFile) Close() error { return nil }
