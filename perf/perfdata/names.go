package perfdata

import (
	"errors"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"sync"
)

// names finds the functions at the sites, all at once: then each object is looked through
// once, and one beside the other.
type names struct {
	bySite [][]Frame // nothing: it has no name
	module []string  // of sites in the kernel: the module where it is another one than the mapping says
}

// findNames looks all sites up.
func (c *collector) findNames() *names {
	n := &names{bySite: make([][]Frame, len(c.stacks.sites)), module: make([]string, len(c.stacks.sites))}
	byImage := make([][]int32, len(c.world.images.all))
	for id, f := range c.stacks.sites {
		if f.image != nil {
			byImage[f.image.id] = append(byImage[f.image.id], int32(id))
		}
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, sites := range byImage {
		if len(sites) == 0 {
			continue
		}
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer wg.Done()
			c.namesOf(c.world.images.all[i], sites, n)
			<-slots
		}()
	}
	wg.Wait()
	return n
}

// namesOf looks up the sites of one image.
func (c *collector) namesOf(i *image, sites []int32, n *names) {
	switch i.kind {
	case imageFile, imageVDSO:
		if i.symbols != nil {
			c.namesInObject(i.symbols, sites, n)
		}
	case imageJIT:
		c.namesInMap(i, sites, n)
	case imageKernel:
		c.namesInKernel(i, sites, n)
	}
}

func (c *collector) namesInObject(s *symbols, sites []int32, n *names) {
	if !c.options.NoInlined {
		addresses := make([]uint64, len(sites))
		for i, id := range sites {
			addresses[i] = c.stacks.sites[id].address
		}
		for i, frames := range s.framesOf(addresses) {
			n.bySite[sites[i]] = frames
		}
		return
	}
	for _, id := range sites {
		if name, _, ok := s.lookup(c.stacks.sites[id].address); ok {
			n.bySite[id] = []Frame{{Name: s.demangled(name), Symbol: name}}
		}
	}
}

// namesInMap takes the names that a compiler has left.
func (c *collector) namesInMap(i *image, sites []int32, n *names) {
	f, err := c.options.Open(i.path)
	if err != nil {
		i.err = err
		return
	}
	defer func() { _ = f.Close() }() // it was only read
	table, err := readJITMap(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		i.err = err
		return
	}
	for _, id := range sites {
		if x, ok := table.lookup(c.stacks.sites[id].address); ok {
			n.bySite[id] = []Frame{{Name: x.name, Symbol: x.name}}
		}
	}
}

func (c *collector) namesInKernel(i *image, sites []int32, n *names) {
	k := c.world.kernel
	table, err := k.symbols()
	if err != nil {
		i.err = err
	}
	for _, id := range sites {
		address := c.stacks.sites[id].address
		if name := k.addedAt(address); name != "" {
			n.bySite[id] = []Frame{{Name: name, Symbol: name}}
			continue
		}
		if table == nil {
			continue
		}
		name, module, _, ok := table.lookup(address)
		if !ok {
			continue
		}
		n.bySite[id] = []Frame{{Name: name, Symbol: name}}
		if i.path == kernelPath {
			n.module[id] = module
		}
	}
}

// addedAt is the symbol around an address that came while it was recorded.
func (k *kernel) addedAt(address uint64) string {
	for _, a := range k.added {
		if address >= a.start && address < a.end {
			return a.name
		}
	}
	return ""
}

// Files that tell about the kernel that runs (proc(5), and the kernel's
// Documentation/ABI/stable/sysfs-kernel-notes).
const (
	kallsymsFile = "/proc/kallsyms"
	notesFile    = "/sys/kernel/notes"
)

// errOtherKernel says that the names of a kernel are not here.
var errOtherKernel = errors.New("it was recorded on another kernel, or before this one was booted: the functions of the kernel have no names here")

// read begins to read the symbols of the kernel that runs. The kernel takes some 50 ms to
// write them, so that happens while the recording is read.
func (k *kernel) read() {
	k.used = true
	k.loaded = make(chan struct{})
	go func() {
		defer close(k.loaded)
		f, err := k.images.open(kallsymsFile)
		if err != nil {
			k.err = err
			return
		}
		defer func() { _ = f.Close() }() // it was only read
		// The size that the kernel tells of the file is 0.
		const room = 4 << 20 // for the functions of most kernels
		k.table, k.err = readKallsyms(io.NewSectionReader(f, 0, maxSection), room)
	}()
}

// symbols are those of the kernel that was recorded: nil and the reason where they are not
// to be had.
func (k *kernel) symbols() (*kernelSymbols, error) {
	k.checked.Do(func() {
		<-k.loaded
		if k.err == nil && !k.same() {
			k.table, k.err = nil, errOtherKernel
		}
	})
	return k.table, k.err
}

// same reports whether the kernel that runs is the one that was recorded, in the same
// place of memory.
func (k *kernel) same() bool {
	if k.text != 0 {
		if _, _, start, ok := k.table.lookup(k.text); !ok || start != k.text {
			return false
		}
	}
	want := k.images.facts.buildIDs[kernelPath]
	if want == "" {
		return true
	}
	f, err := k.images.open(notesFile)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist) // kernels can be built without it
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<16))
	if err != nil {
		return false
	}
	have := findBuildID(b, 4)
	return have == "" || have.equal(want)
}

// cachedCopies are where perf keeps copies of what it has recorded, by build-id
// (perf-buildid-cache(1)).
func cachedCopies(id buildID) []string {
	home := homeDir()
	if len(id) < 4 || home == "" {
		return nil
	}
	dir := home + "/.debug/.build-id/" + string(id[:2]) + "/" + string(id[2:])
	return []string{dir + "/elf"}
}

// moduleOf is the name of a mapping without its folders: what stands for a function
// without a name.
func moduleOf(path string) string { return "[" + path[strings.LastIndexByte(path, '/')+1:] + "]" }
