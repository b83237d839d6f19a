package measure

import "golang.org/x/sys/unix"

// A task is one thread of the tree. Every process has at least one, and its
// memory is there until the last task that shares it is past its exit.
type task struct {
	tid, pid int
	space    *space
	ending   bool // past its exit event: its memory may be gone at any moment
	execing  bool // was last seen about to execute a program
}

// A space is an address space: usually that of one process, but a vfork child runs
// in its parent's until it executes a program, and clone(2) can share one between
// processes for good. It is the space that takes memory, so it counts once.
type space struct {
	tasks map[int]*task // by thread id
	// mark is its high-water mark when it was last read. It stands for the
	// space while a task in it is being given another by execve.
	mark int64
}

// join enters a task into the space.
func (s *space) join(t *task) {
	t.space = s
	s.tasks[t.tid] = t
}

// lives reports whether a task other than those of process pid will keep the
// space as it is, as none does that is about to leave it too.
func (s *space) lives(pid int) bool {
	for _, t := range s.tasks {
		if t.pid != pid && !t.ending && !t.execing {
			return true
		}
	}
	return false
}

// changes reports whether a task of the space may be about to get another.
func (s *space) changes() bool {
	for _, t := range s.tasks {
		if t.execing && !t.ending {
			return true
		}
	}
	return false
}

// last reports whether no task but t holds the space.
func (s *space) last(t *task) bool {
	for _, other := range s.tasks {
		if other != t && !other.ending {
			return false
		}
	}
	return true
}

// some returns a task of the space that is not ending, nil if there is none.
func (s *space) some() *task {
	for _, t := range s.tasks {
		if !t.ending {
			return t
		}
	}
	return nil
}

// read takes one measure of the space, 0 if it may be gone. It is found under the id
// of every task, but under that of one that executes a program it may be the new
// space already. So the others are asked first.
func (s *space) read(measure func(tid int) int64) int64 {
	for _, t := range s.tasks {
		if t.ending || t.execing {
			continue
		}
		if n := measure(t.tid); n > 0 {
			return n
		}
	}
	var most int64
	for _, t := range s.tasks {
		if t.execing && !t.ending {
			most = max(most, measure(t.tid))
		}
	}
	return most
}

// highWaterMark is the most that the space has taken. When all its tasks are past
// their exits it counts for as long as the kernel keeps it.
func (s *space) highWaterMark() int64 {
	if s.some() != nil {
		s.mark = max(s.mark, s.read(highWaterMark))
		return s.mark
	}
	for _, t := range s.tasks {
		if n := highWaterMark(t.tid); n > 0 {
			return n
		}
	}
	return 0
}

// sameMemory reports whether two tasks have one address space; where the kernel
// does not tell (kcmp(2) is optional, and containers may refuse it), a vfork child
// is taken to share its parent's.
func sameMemory(a, b int, vfork bool) bool {
	const kcmpVM = 1
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), kcmpVM, 0, 0, 0)
	if errno != 0 {
		return vfork
	}
	return order == 0
}
