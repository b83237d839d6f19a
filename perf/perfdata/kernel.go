package perfdata

import (
	"path"
	"strings"
	"sync"
)

// kernelPath is what perf calls the kernel itself.
const kernelPath = "[kernel.kallsyms]"

// kernel is the kernel of the recording's machine: where it and its modules lie.
type kernel struct {
	space  space
	images *images
	// text is the address of the symbol _text when it was recorded; 0: not known. With
	// address space randomisation it is another one at each boot.
	text  uint64
	used  bool // an address of the kernel occurs in a sample
	added []addedSymbol

	loaded  chan struct{} // closed when table and err are there
	checked sync.Once
	table   *kernelSymbols
	err     error
}

// maps takes a mapping of the kernel or of a module. The name of the kernel's is
// "[kernel.kallsyms]" and the symbol that it is relocated by, and its offset is where that
// symbol lies (perf_event__synthesize_kernel_mmap in perf's sources).
func (k *kernel) maps(m mapping, name string) {
	if strings.HasPrefix(name, "[guest.") {
		return // of what a virtual machine runs, nobody knows the files
	}
	if strings.HasPrefix(name, kernelPath) {
		if symbol := name[len(kernelPath):]; symbol == "_text" || symbol == "_stext" {
			k.text = m.offset
		}
		name = kernelPath
	} else if !strings.HasPrefix(name, "[") {
		name = "[" + moduleName(name) + "]"
	}
	m.image = k.image(name)
	k.space.insert(m)
}

// moduleName is the name of a module from the path of its file: what lsmod(8) shows.
func moduleName(file string) string {
	name := path.Base(file)
	if i := strings.Index(name, ".ko"); i > 0 {
		name = name[:i]
	}
	return strings.ReplaceAll(name, "-", "_")
}

func (k *kernel) image(name string) *image {
	key := imageKey{path: name}
	i := k.images.byKey[key]
	if i == nil {
		i = &image{id: int32(len(k.images.all)), kind: imageKernel, path: name, opened: true}
		k.images.all = append(k.images.all, i)
		k.images.byKey[key] = i
	}
	return i
}

// bpfImage is what compiled programs of BPF are shown to be of, as in /proc/kallsyms.
const bpfImage = "[bpf]"

// symbol takes the begin of a symbol that was added while it was recorded: the address, the
// size, type, flags, and the name.
func (k *kernel) symbol(b []byte) bool {
	const nameAt = 16
	if len(b) < nameAt {
		return false
	}
	start, size := order.Uint64(b), uint64(order.Uint32(b[8:]))
	const unregistered = 1
	if order.Uint16(b[14:])&unregistered == 0 && size <= ^uint64(0)-start {
		k.space.insert(mapping{start: start, end: start + size, image: k.image(bpfImage)})
		k.added = append(k.added, addedSymbol{start, start + size, cString(b[nameAt:])})
	}
	return true
}

// An addedSymbol is one that came while it was recorded.
type addedSymbol struct {
	start, end uint64
	name       string
}

// site is a frame of the kernel at an address. Unlike addresses in programs, a caller's is
// looked up where it returns to: the first instruction of a function can be one that was
// interrupted, and the kernel fills up the space behind calls that do not return.
func (k *kernel) site(address uint64) site {
	if !k.used {
		k.read()
	}
	if m := k.space.find(address); m != nil {
		return site{m.image, address}
	}
	return site{k.image(kernelPath), address}
}
