package perfdata

import (
	"slices"
	"strconv"
	"strings"
)

// A mapping is a part of an address space into which a file, or something else, is mapped.
type mapping struct {
	start, end uint64
	offset     uint64 // in what is mapped
	image      *image
	code       bool // it may be executed
}

// A space is the mappings of a process, by address; none of them overlap.
type space struct {
	maps   []mapping
	shared bool // with a process that was forked: it is copied before it changes
	last   int  // the index of what was found last
	// before is what was mapped before the process began another program: until that runs,
	// its samples in the kernel are of a call from there. nil: nothing was, or it runs.
	before *space
}

// find returns the mapping that an address lies in; nil if there is none.
func (s *space) find(address uint64) *mapping {
	if s.last < len(s.maps) {
		if m := &s.maps[s.last]; address >= m.start && address < m.end {
			return m
		}
	}
	i, _ := slices.BinarySearchFunc(s.maps, address, func(m mapping, address uint64) int {
		if m.end <= address {
			return -1
		}
		return 1
	})
	if i < len(s.maps) && s.maps[i].start <= address {
		s.last = i
		return &s.maps[i]
	}
	return nil
}

// insert puts a mapping in. As in the kernel, the later one wins: what it covers of
// others is gone.
func (s *space) insert(m mapping) {
	if m.end <= m.start {
		return
	}
	if s.shared {
		s.maps, s.shared = slices.Clone(s.maps), false
	}
	first, _ := slices.BinarySearchFunc(s.maps, m.start, func(o mapping, start uint64) int {
		if o.end <= start {
			return -1
		}
		return 1
	})
	end := first
	for end < len(s.maps) && s.maps[end].start < m.end {
		end++
	}
	var with [3]mapping
	n := 0
	if first < end && s.maps[first].start < m.start {
		left := s.maps[first]
		left.end = m.start
		with[n] = left
		n++
	}
	with[n] = m
	n++
	if first < end && s.maps[end-1].end > m.end {
		right := s.maps[end-1]
		right.offset += m.end - right.start
		right.start = m.end
		with[n] = right
		n++
	}
	s.maps = slices.Replace(s.maps, first, end, with[:n]...)
}

// fork is the address space of a child.
func (s *space) fork() *space {
	s.shared = true
	return &space{maps: s.maps, shared: true}
}

// A process has an address space, which its threads share.
type process struct {
	pid   uint32
	space *space
}

// A thread has a name.
type thread struct {
	tid  uint32
	comm string
	proc *process
	dead bool
}

// world is the processes and threads of a recording at one moment.
type world struct {
	processes map[uint32]*process
	threads   map[uint32]*thread
	images    *images
	kernel    *kernel
	main      *image // what the first program was
	dead      []*thread
}

func newWorld(images *images, k *kernel) *world {
	return &world{processes: map[uint32]*process{}, threads: map[uint32]*thread{}, images: images, kernel: k}
}

// idle is what perf calls the threads of which each CPU has one, and all have the number 0.
const idle = "swapper"

func (w *world) process(pid uint32) *process {
	p := w.processes[pid]
	if p == nil {
		p = &process{pid: pid, space: &space{}}
		w.processes[pid] = p
	}
	return p
}

// thread returns a thread. Of one that the recording has not mentioned nobody knows the
// name; perf calls it by its number.
func (w *world) thread(pid, tid uint32) *thread {
	t := w.threads[tid]
	if t == nil {
		t = &thread{tid: tid, proc: w.process(pid)}
		w.threads[tid] = t
		switch leader := w.threads[pid]; {
		case tid == 0:
			t.comm = idle
		case leader != nil && leader != t:
			t.comm = leader.comm
		default:
			t.comm = ":" + strconv.FormatInt(int64(int32(tid)), 10)
		}
	}
	if t.proc.pid != pid { // the number is of another process now
		t.proc = w.process(pid)
	}
	return t
}

// miscCommExec says that the name changed as the thread has begun another program.
const miscCommExec = 1 << 13

// comm takes a new name of a thread.
func (w *world) comm(misc uint16, b []byte) bool {
	if len(b) < 8 {
		return false
	}
	t := w.thread(order.Uint32(b), order.Uint32(b[4:]))
	t.comm = cString(b[8:])
	if misc&miscCommExec != 0 {
		t.proc.space.before = nil
		t.proc.space = &space{before: t.proc.space} // the mappings of the new program follow
	}
	return true
}

// fork takes the begin of a thread or of a process: pid, ppid, tid, ptid.
func (w *world) fork(b []byte) bool {
	if len(b) < 16 {
		return false
	}
	pid, ppid, tid, ptid := order.Uint32(b), order.Uint32(b[4:]), order.Uint32(b[8:]), order.Uint32(b[12:])
	parent := w.thread(ppid, ptid)
	if pid != ppid {
		w.processes[pid] = &process{pid: pid, space: w.process(ppid).space.fork()}
	}
	w.threads[tid] = &thread{tid: tid, comm: parent.comm, proc: w.process(pid)}
	return true
}

// maxDead bounds how many threads are remembered behind their end: samples of their last
// moments follow it.
const maxDead = 1 << 12

// exit takes the end of a thread: pid, ppid, tid, ptid.
func (w *world) exit(b []byte) bool {
	if len(b) < 16 {
		return false
	}
	t := w.threads[order.Uint32(b[8:])]
	if t == nil || t.dead {
		return true
	}
	t.dead = true
	w.dead = append(w.dead, t)
	if len(w.dead) > maxDead {
		w.forget(w.dead[:maxDead/2])
		w.dead = slices.Clone(w.dead[maxDead/2:])
	}
	return true
}

// forget removes threads, and the processes that they were the last of.
func (w *world) forget(dead []*thread) {
	for _, t := range dead {
		if w.threads[t.tid] == t {
			delete(w.threads, t.tid)
		}
		if p := t.proc; t.tid == p.pid && w.processes[p.pid] == p {
			delete(w.processes, p.pid) // threads that outlive the first one keep it
		}
	}
}

// protExec is a mapping's right to be executed (mmap(2)).
const protExec = 4

// miscMmapData marks a mapping of the first kind that is of data, and miscMmapBuildID one of
// the second kind that has the file's build-id in place of its inode.
const (
	miscMmapData    = 1 << 13
	miscMmapBuildID = 1 << 14
)

// kernelPID is the process that mappings of the kernel are of.
const kernelPID = 1<<32 - 1

// mmap takes a mapping, of the first kind: pid, tid, address, length, offset, path.
func (w *world) mmap(misc uint16, b []byte) bool {
	const pathAt = 32
	if len(b) < pathAt {
		return false
	}
	w.maps(b, cString(b[pathAt:]), "", misc&miscMmapData == 0)
	return true
}

// mmap2 takes one of the second kind, which has inode or build-id and the rights between
// offset and path.
func (w *world) mmap2(misc uint16, b []byte) bool {
	const pathAt = 64
	if len(b) < pathAt {
		return false
	}
	var id buildID
	if misc&miscMmapBuildID != 0 {
		id = toBuildID(b[36 : 36+min(int(b[32]), 20)])
	}
	w.maps(b, cString(b[pathAt:]), id, order.Uint32(b[56:])&protExec != 0)
	return true
}

func (w *world) maps(b []byte, path string, id buildID, code bool) {
	pid := order.Uint32(b)
	start, size, offset := order.Uint64(b[8:]), order.Uint64(b[16:]), order.Uint64(b[24:])
	if size > ^uint64(0)-start {
		size = ^uint64(0) - start
	}
	m := mapping{start: start, end: start + size, offset: offset, code: code}
	if pid == kernelPID {
		w.kernel.maps(m, path)
		return
	}
	p := w.process(pid)
	m.image = w.images.get(p, path, id)
	if w.main == nil && m.image.kind == imageFile {
		w.main = m.image // the kernel maps a program first, and then what loads its libraries
	}
	p.space.insert(m)
}

// anonymous reports whether a mapping is of memory without a file. Where it is code, a
// compiler has made it while the program ran.
func anonymous(path string) bool {
	return path == "" || strings.HasPrefix(path, "//anon") || strings.HasPrefix(path, "/dev/zero") ||
		strings.HasPrefix(path, "/anon_hugepage") || strings.HasPrefix(path, "[anon:")
}

// noFile reports whether a mapping has a name that is none of a file.
func noFile(path string) bool {
	return strings.HasPrefix(path, "[stack") || strings.HasPrefix(path, "/SYSV") || path == "[heap]"
}
