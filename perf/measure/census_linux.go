package measure

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

const (
	// sampleInterval is the time between two looks at the resident sets.
	sampleInterval = time.Millisecond
	// sampleShare bounds what looking costs: a look that took t is followed by
	// sampleShare times t without one. Summing proportional sizes walks the page
	// tables of every process and takes milliseconds for a large one.
	sampleShare = 4
	// markEvery is how many looks pass between two at the high-water marks.
	markEvery = 8
	// exitFree is what reading proportional sizes at exits may cost in all,
	// beyond half the time that passed: enough that every short command gets them.
	exitFree = 50 * time.Millisecond
)

// A census keeps the tasks of a tree that are alive, and the peaks of their
// memory. It is told of events by the tracer and looks by itself meanwhile; the
// set does not change during a look, as the tracer waits.
type census struct {
	mu     sync.Mutex
	tasks  map[int]*task // by thread id
	spaces map[*space]bool

	peak, peakRSS, peakBound int64  // bytes
	looked, summed           bool   // resident sets, proportional sets were read
	unbounded                string // why there is no upper bound; empty: there is

	begin    time.Time
	exitCost time.Duration // spent on proportional sizes at exits so far
	quiet    time.Time     // no look before, as the last one was dear
	quietPSS time.Time     // no proportional look before, but at exits
	looks    int
}

func newCensus() *census {
	return &census{tasks: map[int]*task{}, spaces: map[*space]bool{}, begin: time.Now()}
}

// add enters the process or thread tid, which creator began (0: not known).
func (c *census) add(tid, creator int, vfork bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tasks[tid] != nil {
		return
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return // killed before it was seen
	}
	group, ok := procField(data, "Tgid:")
	if !ok || bytes.Contains(data, []byte("\nState:\tZ")) {
		return // it began and ended before its creator's event was handled
	}
	parent, _ := procField(data, "PPid:")
	t := &task{tid: tid, pid: int(group)}
	s := c.spaceOf(t, creator, int(parent), vfork)
	c.spaces[s] = true
	s.join(t)
	c.tasks[tid] = t
}

// spaceOf finds the space that a new task shares, or makes one.
func (c *census) spaceOf(t *task, creator, parent int, vfork bool) *space {
	if first := c.tasks[t.pid]; first != nil {
		return first.space // t is a thread, which takes no memory of its own
	}
	if by := c.tasks[creator]; by != nil {
		if sameMemory(t.tid, by.tid, vfork) {
			return by.space
		}
		return newSpace()
	}
	// The kernel reports the first stop of a child and the event of its creator in
	// either order. The creator need not be the parent (CLONE_PARENT), so if they
	// share nothing, whoever else is there is asked.
	if by := c.tasks[parent]; by != nil && sameMemory(t.tid, by.tid, false) {
		return by.space
	}
	for s := range c.spaces {
		if by := s.some(); by != nil && sameMemory(t.tid, by.tid, false) {
			return s
		}
	}
	return newSpace()
}

func newSpace() *space { return &space{tasks: map[int]*task{}} }

// executing notes that thread tid is about to execute a program. If that will give
// its memory back, the peaks are brought up to date first: at the event after it
// the memory is gone.
func (c *census) executing(tid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tasks[tid]
	if t == nil {
		return
	}
	if !t.space.lives(t.pid) {
		c.look()
	}
	t.execing = true
}

// executed notes that process pid has a new program: memory of its own, and one
// thread, whichever called execve.
func (c *census) executed(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	announced := false
	for _, t := range c.tasks {
		if t.pid == pid {
			announced = announced || t.execing
			c.forget(t.tid)
		}
	}
	if !announced && c.unbounded == "" {
		c.unbounded = "the command executed programs in a way that the tracer is not told of beforehand (a seccomp filter of its own?)"
	}
	s := newSpace()
	c.spaces[s] = true
	t := &task{tid: pid, pid: pid}
	s.join(t)
	c.tasks[pid] = t
}

// exiting notes that thread tid is about to exit. If it is the last to hold its
// memory, the peaks are brought up to date first: high-water marks only grow
// and the set of processes only shrinks at an exit, so their greatest sum is
// found just there. So it is where the other threads of a process end that has
// called execve: they may have taken more memory since.
func (c *census) exiting(tid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tasks[tid]
	if t == nil || t.ending {
		return
	}
	if t.space.last(t) || t.space.changes() {
		c.look()
	}
	// Its high-water mark counts on until the kernel has reported it dead: others
	// may grow before its memory is really gone.
	t.ending = true
}

// look brings all peaks up to date while memory that is about to be given back is
// still there, even that of a process that ran for a millisecond: this is why a
// short command does not measure as 0.
func (c *census) look() {
	c.peakBound = max(c.peakBound, c.marks())
	rss := c.lookRSS()
	if !c.summed || rss > c.peak && c.exitCost < exitFree+time.Since(c.begin)/2 {
		c.exitCost += c.lookPSS()
	}
}

// remove notes that thread tid is gone.
func (c *census) remove(tid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(tid)
}

// forget removes thread tid, and its space with the last one in it.
func (c *census) forget(tid int) {
	t := c.tasks[tid]
	if t == nil {
		return
	}
	delete(c.tasks, tid)
	delete(t.space.tasks, tid)
	if len(t.space.tasks) == 0 {
		delete(c.spaces, t.space)
	}
}

// live lists the processes of the tree that are not about to be gone.
func (c *census) live() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	var pids []int
	seen := map[int]bool{}
	for _, t := range c.tasks {
		if !t.ending && !seen[t.pid] {
			seen[t.pid] = true
			pids = append(pids, t.pid)
		}
	}
	return pids
}

// replace makes pids the processes of the tree, where no tracer tells of them.
func (c *census) replace(pids []int) {
	clear(c.spaces)
	for _, pid := range pids {
		s := newSpace()
		s.join(&task{tid: pid, pid: pid})
		c.spaces[s] = true
	}
}

// sampleEvery looks at the tree in intervals until stop is called. If list is
// set, it tells the members; else events do.
func (c *census) sampleEvery(interval time.Duration, list func() []int) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			c.sample(list)
			select {
			case <-ticker.C:
			case <-quit:
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

// sample looks once, unless the last look was dear and not long ago. A
// proportional sum is never above the resident sum, so it is read only when the
// latter allows a new peak.
func (c *census) sample(list func() []int) {
	now := time.Now()
	if now.Before(c.quiet) {
		return
	}
	var pids []int
	if list != nil {
		pids = list()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if list != nil {
		c.replace(pids)
	}
	rss := c.lookRSS()
	c.looks++
	if c.looks%markEvery == 0 {
		c.peakBound = max(c.peakBound, c.marks())
	}
	c.quiet = now.Add(sampleShare * time.Since(now))
	if rss > c.peak && !now.Before(c.quietPSS) {
		cost := c.lookPSS()
		c.quietPSS = time.Now().Add(sampleShare * cost)
	}
}

// lookRSS sums the resident sets and brings their peak up to date. The sum is
// below that of the high-water marks at the same moment, so it raises the bound too.
func (c *census) lookRSS() int64 {
	rss := c.sum(residentSet)
	c.looked = c.looked || rss > 0
	c.peakRSS = max(c.peakRSS, rss)
	c.peakBound = max(c.peakBound, rss)
	return rss
}

// lookPSS sums the proportional sets, brings their peak up to date, and returns
// what that cost.
func (c *census) lookPSS() time.Duration {
	begin := time.Now()
	pss := c.sum(proportionalSet)
	c.summed = c.summed || pss > 0
	c.peak = max(c.peak, pss)
	return time.Since(begin)
}

// sum adds up one measure of all address spaces but those that may be gone at any
// moment: the kernel would count their pages as others' while these are read.
func (c *census) sum(measure func(tid int) int64) int64 {
	var total int64
	for s := range c.spaces {
		total += s.read(measure)
	}
	return total
}

// marks adds up their high-water marks.
func (c *census) marks() int64 {
	var total int64
	for s := range c.spaces {
		total += s.highWaterMark()
	}
	return total
}

// memory is the result. What no look has seen is not measured, rather than 0.
func (c *census) memory() Memory {
	c.mu.Lock()
	defer c.mu.Unlock()
	mem := Memory{HasPeak: c.summed, HasPeakRSS: c.looked, HasPeakBound: c.looked && c.unbounded == ""}
	switch {
	case !c.looked:
		mem.Reason = "the command ended before it could be looked at"
	case !c.summed:
		mem.Reason = "proportional sizes cannot be read (/proc/PID/smaps_rollup needs Linux 4.14, and the command the same user)"
	case c.unbounded != "":
		mem.Reason = "no upper bound of the memory: " + c.unbounded
	}
	if c.looked {
		mem.PeakRSS = c.peakRSS
	}
	if mem.HasPeakBound {
		mem.PeakBound = c.peakBound
	}
	if c.summed {
		mem.Peak = c.peak
	}
	return mem
}

var pageSize = int64(os.Getpagesize())

// residentSet is the second number of /proc/PID/statm in bytes, 0 if the
// process is gone.
func residentSet(pid int) int64 {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(data)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * pageSize
}

// highWaterMark is the largest resident set that the process has had since its
// last execve (proc_pid_status(5)).
func highWaterMark(pid int) int64 { return kilobytes(pid, "status", "VmHWM:") }

// proportionalSet is the resident set with every page divided by the number of
// processes that map it (proc_pid_smaps(5)).
func proportionalSet(pid int) int64 { return kilobytes(pid, "smaps_rollup", "Pss:") }

// kilobytes returns in bytes what a file of /proc/PID says in kB, which are
// units of 1024 bytes there; 0 if the process is gone.
func kilobytes(pid int, file, key string) int64 {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + file)
	if err != nil {
		return 0
	}
	kb, _ := procField(data, key)
	return kb << 10
}
