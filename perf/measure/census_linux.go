package measure

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
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

// A census keeps the processes of a tree that are alive, and the peaks of their
// memory. It is told of events by the tracer and looks by itself meanwhile; the
// set does not change during a look, as the tracer waits.
type census struct {
	mu      sync.Mutex
	members map[int]*member // by process id
	owner   map[int]int     // process id by thread id

	peak, peakRSS, peakBound int64 // bytes
	looked, summed           bool  // resident sets, proportional sets were read

	begin    time.Time
	exitCost time.Duration // spent on proportional sizes at exits so far
	quiet    time.Time     // no look before, as the last one was dear
	quietPSS time.Time     // no proportional look before, but at exits
	looks    int
}

// A member is one process of the tree.
type member struct {
	pid     int
	threads map[int]bool
	// shares is set while a vfork child runs in its parent's memory, which
	// would otherwise count twice.
	shares bool
}

func newCensus() *census {
	return &census{members: map[int]*member{}, owner: map[int]int{}, begin: time.Now()}
}

// add enters the process or thread tid, which creator began (0: not known).
func (c *census) add(tid, creator int, vfork bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.owner[tid]; known {
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
	pid := int(group)
	c.owner[tid] = pid
	// A thread takes no memory of its own, but the process is there until the
	// last of them exits.
	if m := c.members[pid]; m != nil {
		m.threads[tid] = true
		return
	}
	// The kernel reports the first stop of the child and the event of its
	// creator in either order; in the former case the parent is the creator.
	if creator == 0 {
		parent, _ := procField(data, "PPid:")
		creator = int(parent)
	}
	shares := false
	if _, ours := c.owner[creator]; ours {
		shares = sameMemory(pid, creator, vfork)
	}
	c.members[pid] = &member{pid: pid, threads: map[int]bool{tid: true}, shares: shares}
}

// sameMemory reports whether two processes have one address space; where the
// kernel does not tell (kcmp(2) is optional), a vfork child is taken to.
func sameMemory(a, b int, vfork bool) bool {
	const kcmpVM = 1
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), kcmpVM, 0, 0, 0)
	if errno != 0 {
		return vfork
	}
	return order == 0
}

// executed notes that process pid has a new program: memory of its own, and one
// thread, whichever called execve.
func (c *census) executed(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.members[pid]
	if m == nil {
		return
	}
	for tid := range m.threads {
		delete(c.owner, tid)
	}
	m.threads = map[int]bool{pid: true}
	c.owner[pid] = pid
	m.shares = false
}

// exiting notes that thread tid is about to exit. If it is the last of its
// process, the peaks are brought up to date first: high-water marks only grow
// and the set of processes only shrinks at an exit, so their greatest sum is
// found just there.
func (c *census) exiting(tid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.members[c.owner[tid]]
	if m == nil {
		return
	}
	// At the exit event memory is still there, even of a process that ran for
	// a millisecond: this is why a short command does not measure as 0.
	if len(m.threads) == 1 && !m.shares {
		c.peakBound = max(c.peakBound, c.sum(highWaterMark))
		rss := c.lookRSS()
		if !c.summed || rss > c.peak && c.exitCost < exitFree+time.Since(c.begin)/2 {
			c.exitCost += c.lookPSS()
		}
	}
	c.forget(tid)
}

// remove notes that thread tid is gone.
func (c *census) remove(tid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(tid)
}

// forget removes thread tid, and its process with the last one.
func (c *census) forget(tid int) {
	pid, known := c.owner[tid]
	if !known {
		return
	}
	delete(c.owner, tid)
	m := c.members[pid]
	delete(m.threads, tid)
	if len(m.threads) == 0 {
		delete(c.members, pid)
	}
}

// live lists the processes of the tree.
func (c *census) live() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	pids := make([]int, 0, len(c.members))
	for pid := range c.members {
		pids = append(pids, pid)
	}
	return pids
}

// replace makes pids the members, where no tracer tells of them.
func (c *census) replace(pids []int) {
	clear(c.members)
	for _, pid := range pids {
		c.members[pid] = &member{pid: pid, threads: map[int]bool{pid: true}}
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
		c.peakBound = max(c.peakBound, c.sum(highWaterMark))
	}
	c.quiet = now.Add(sampleShare * time.Since(now))
	if rss > c.peak && !now.Before(c.quietPSS) {
		cost := c.lookPSS()
		c.quietPSS = time.Now().Add(sampleShare * cost)
	}
}

// lookRSS sums the resident sets and brings their peak up to date. The sum is
// below that of the high-water marks at the same moment, so it raises the bound
// too: that is how memory from before an execve comes to count.
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

// sum adds up one measure of all processes that have memory of their own.
func (c *census) sum(measure func(pid int) int64) int64 {
	var total int64
	for _, m := range c.members {
		if m.shares {
			continue
		}
		total += measure(m.reader())
	}
	return total
}

// reader is the id to read of: the process, or, when its first thread has
// exited before others, one of those, as the memory is found only there.
func (m *member) reader() int {
	if m.threads[m.pid] {
		return m.pid
	}
	for tid := range m.threads {
		return tid
	}
	return m.pid
}

// memory is the result. What no look has seen is not measured, rather than 0.
func (c *census) memory() Memory {
	c.mu.Lock()
	defer c.mu.Unlock()
	mem := Memory{HasPeak: c.summed, HasPeakRSS: c.looked, HasPeakBound: c.looked}
	switch {
	case !c.looked:
		mem.Reason = "the command ended before it could be looked at"
	case !c.summed:
		mem.Reason = "proportional sizes cannot be read (/proc/PID/smaps_rollup needs Linux 4.14, and the command the same user)"
	}
	if c.looked {
		mem.PeakRSS, mem.PeakBound = c.peakRSS, c.peakBound
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
