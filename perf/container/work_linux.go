package container

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// firstLook is the time between two looks at an engine at rest: the programs that it
	// starts for itself live for 10 to 50 ms. lookPart is how much of one processor looking
	// may take at most, so that a hundred containers are looked at less often.
	firstLook = 10 * time.Millisecond
	lookPart  = 0.03
)

// An EngineWatch looks at the threads of a local engine while it works.
type EngineWatch struct {
	stop   chan struct{}
	ended  chan EngineWork
	looker *looker
}

// WatchEngine begins to look. It takes the rights of root, and an engine on this
// machine's own kernel; else the error says why the engine's work stays undivided.
func WatchEngine(e Engine) (*EngineWatch, error) {
	l, err := newLooker(e.Info())
	if err != nil {
		return nil, fmt.Errorf("what the engine does inside cannot be seen: %w", err)
	}
	w := &EngineWatch{stop: make(chan struct{}), ended: make(chan EngineWork, 1), looker: l}
	l.look(time.Now())
	go func() { w.ended <- l.follow(w.stop) }()
	return w, nil
}

// Stop ends looking and returns what was seen. It must be called once.
func (w *EngineWatch) Stop() EngineWork {
	close(w.stop)
	return <-w.ended
}

// A looker knows which processes are an engine's, and what their threads have done.
type looker struct {
	daemon     int
	engine     string // the daemon's name
	containerd string // the address by which shims name theirs
	known      map[int]*process
	work       EngineWork
	last       time.Time
	buffer     []byte
}

// A process is one that was seen.
type process struct {
	name    string // by proc_pid_stat(5)
	program string // empty: it is not the engine's
	mark    int    // the look at which it was there
	threads map[int]*thread
	read    int64
	written int64
	part    EnginePart
}

// A thread has its counters of the last look.
type thread struct {
	ran, delayed time.Duration
	mark         int
	// waits and cause are where it waited when it was last asked. A thread that has not
	// run since still waits there.
	asked, waits bool
	cause        int
}

func newLooker(i Info) (*looker, error) {
	if !i.SharesClock {
		return nil, errors.New("it runs under another kernel than this program")
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("it takes the rights of root")
	}
	pid, err := listenerOf(strings.TrimPrefix(i.Endpoint, "unix://"))
	if err != nil {
		return nil, err
	}
	l := &looker{daemon: pid, known: map[int]*process{}, buffer: make([]byte, 64<<10)}
	if _, err := os.ReadFile(l.path(pid, "schedstat")); err != nil {
		return nil, fmt.Errorf("the kernel does not tell how its threads are scheduled: %w", err)
	}
	l.engine, _, _ = l.stat(pid)
	l.containerd = l.containerdOf(pid)
	l.work.Began = time.Now()
	return l, nil
}

// listenerOf is the process that listens on a Unix socket (SO_PEERCRED, unix(7)).
func listenerOf(socket string) (int, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *unix.Ucred
	if controlErr := raw.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); controlErr != nil {
		return 0, controlErr
	}
	if err != nil {
		return 0, err
	}
	if peer.Pid > 1 {
		return int(peer.Pid), nil
	}
	// The init system made the socket for it, or it is in another namespace.
	return onlyDaemon()
}

// containerdOf is the address of the containerd that a daemon uses: the one that it was
// told, the one that it has started itself, or the machine's.
func (l *looker) containerdOf(daemon int) string {
	if address := l.flag(daemon, "--containerd"); address != "" {
		return address
	}
	for _, pid := range l.pids() {
		if name, parent, ok := l.stat(pid); ok && name == "containerd" && parent == daemon {
			return strings.TrimSuffix(l.flag(pid, "--config"), ".toml") + ".sock"
		}
	}
	return machineContainerd
}

// machineContainerd is where containerd listens unless it is told otherwise.
const machineContainerd = "/run/containerd/containerd.sock"

// onlyDaemon finds the one daemon that runs on this machine.
func onlyDaemon() (int, error) {
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return 0, err
	}
	var found []int
	for _, name := range names {
		if comm, err := os.ReadFile(name); err == nil && slices.Contains([]string{"dockerd", podman}, strings.TrimSpace(string(comm))) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name))) // the pattern has digits only
			found = append(found, pid)
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("its socket does not tell its process, and %d processes here could be it", len(found))
	}
	return found[0], nil
}

func (l *looker) path(pid int, name string) string {
	return "/proc/" + strconv.Itoa(pid) + "/" + name
}

// flag is the value of a flag on the command line of a process.
func (l *looker) flag(pid int, name string) string {
	line, err := os.ReadFile(l.path(pid, "cmdline"))
	if err != nil {
		return ""
	}
	words := strings.Split(string(line), "\x00")
	for i, w := range words {
		if value, ok := strings.CutPrefix(w, name+"="); ok {
			return value
		}
		if w == name && i+1 < len(words) {
			return words[i+1]
		}
	}
	return ""
}

// follow looks until it is stopped.
func (l *looker) follow(stop <-chan struct{}) EngineWork {
	// The cost of looking is this thread's processor time: on a machine that others use,
	// looking is slow, and costs no more for that.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pause := firstLook
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for running := true; running; {
		select {
		case <-timer.C:
		case <-stop:
			running = false
		}
		used := threadTime()
		l.look(time.Now())
		took := threadTime() - used
		l.work.Own += took
		pause = max(firstLook, time.Duration(float64(took)/lookPart))
		timer.Reset(pause)
	}
	for _, p := range l.known {
		l.bury(p)
	}
	slices.SortFunc(l.work.Parts, func(a, b EnginePart) int {
		if a.CPU != b.CPU {
			return int(b.CPU - a.CPU)
		}
		return strings.Compare(a.Program, b.Program)
	})
	l.work.Ended = l.last
	return l.work
}

// threadTime is the processor time of this thread.
func threadTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &u) // cannot fail so
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// look visits all threads of the engine once. The first look is what later ones are
// compared with.
func (l *looker) look(now time.Time) {
	l.work.Looks++
	t := tick{from: l.last, to: now}
	first := l.last.IsZero()
	for _, pid := range l.pids() {
		p := l.known[pid]
		if p == nil {
			p = l.meet(pid)
		} else if p.program != "" {
			l.meetAgain(pid, p)
		}
		p.mark = l.work.Looks
		if p.program != "" {
			l.visit(pid, p, &t, first)
		}
	}
	for pid, p := range l.known {
		if p.mark != l.work.Looks {
			l.bury(p)
			delete(l.known, pid)
		}
	}
	l.last = now
	if !first {
		l.work.ticks = append(l.work.ticks, t)
	}
}

// pids are all processes of the machine, in the order of their numbers.
func (l *looker) pids() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	names, _ := dir.Readdirnames(-1) // as many as there are
	_ = dir.Close()                  // read only
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids) // parents mostly before their children
	return pids
}

// meet finds out whether a process is the engine's.
func (l *looker) meet(pid int) *process {
	p := &process{threads: map[int]*thread{}}
	name, parent, ok := l.stat(pid)
	if ok {
		p.name, p.program = name, l.program(pid, name, parent)
		l.known[pid] = p
	}
	p.part = EnginePart{Program: p.program, Processes: 1}
	return p
}

// meetAgain looks whether a process has executed another program: it begins as a copy of
// its parent, and the last one that runc executes is the container's own.
func (l *looker) meetAgain(pid int, p *process) {
	name, parent, ok := l.stat(pid)
	if !ok || name == p.name {
		return
	}
	l.bury(p)
	p.name, p.program = name, l.program(pid, name, parent)
	p.part = EnginePart{Program: p.program, Processes: 1}
}

// program names the program of a process of the engine; empty if it is none of it.
func (l *looker) program(pid int, name string, parent int) string {
	above := l.known[parent]
	switch {
	case pid == l.daemon:
		return name
	case strings.HasPrefix(name, "containerd-shim"):
		// Shims have no parent, but they name their containerd.
		if l.flag(pid, "-address") == l.containerd {
			return "containerd-shim"
		}
		return ""
	case name == "containerd" && (parent == l.daemon || l.listens(pid)):
		return name
	case name == "conmon" || name == "fuse-overlayfs": // they leave their parent at once
		if l.foreign(pid, name) {
			return ""
		}
		return name
	case above == nil || above.program == "":
		return ""
	case above.program == "containerd-shim" && name != "runc" && name != "crun" && name != "containerd-shim":
		return "" // the container's own program
	case strings.HasPrefix(name, "runc"), name == "crun":
		program, _, _ := strings.Cut(name, ":") // runc:[2:INIT] is runc still
		return program
	case above.program == "runc" && (name == "exe" || name == "dockerd"):
		return "dockerd (network hook)"
	case above.program == "dockerd" && name == "exe":
		return "dockerd (executed again)" // for what takes a process of its own, such as a chroot
	case above.program == "runc":
		return "" // the container's own, which runc has just become
	}
	return name
}

// foreign reports whether a program that has no parent is that of an engine of another kind.
func (l *looker) foreign(pid int, name string) bool {
	if name == "conmon" {
		return l.engine != podman
	}
	owner := storageOf(l.read(l.path(pid, "cmdline")))
	return owner != "" && owner != l.engine
}

// podman is the name of an engine that has no daemon but the one that was asked for.
const podman = "podman"

// storageOf is the engine whose layers a file system stacks, by its command line; empty: it
// does not tell.
func storageOf(line []byte) string {
	if bytes.Contains(line, []byte("/containers/storage/")) {
		return podman
	}
	return ""
}

// listens reports whether a containerd is the one whose address the daemon was given.
func (l *looker) listens(pid int) bool {
	address := l.flag(pid, "--address")
	return address == l.containerd || address == "" && l.containerd == machineContainerd && l.flag(pid, "--config") == ""
}

// stat reads the name and the parent of a process (proc_pid_stat(5)).
func (l *looker) stat(pid int) (name string, parent int, ok bool) {
	text := l.read(l.path(pid, "stat"))
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return "", 0, false
	}
	fields := bytes.Fields(text[end+1:])
	if len(fields) < 2 || fields[0][0] == 'Z' {
		return "", 0, false
	}
	parent, err := strconv.Atoi(string(fields[1]))
	return string(text[open+1 : end]), parent, err == nil
}

// visit adds what the threads of a process have done since the last look.
func (l *looker) visit(pid int, p *process, t *tick, first bool) {
	dir, err := os.Open(l.path(pid, "task"))
	if err != nil {
		return // it has ended
	}
	names, _ := dir.Readdirnames(-1) // as many as there are
	_ = dir.Close()                  // read only
	interval := t.to.Sub(t.from)
	for _, name := range names {
		base := l.path(pid, "task/"+name+"/")
		ran, delayed, ok := schedstat(l.read(base + "schedstat"))
		if !ok {
			continue
		}
		tid, _ := strconv.Atoi(name) // a number always
		old := p.threads[tid]
		if old == nil {
			old = &thread{}
			if first {
				old.ran, old.delayed = ran, delayed
			}
			p.threads[tid] = old
		}
		old.mark = l.work.Looks
		// What a new thread has done, it did since the last look.
		moved := min(ran-old.ran, interval)
		waited := min(delayed-old.delayed, interval)
		old.ran, old.delayed = ran, delayed
		if first {
			continue
		}
		p.part.CPU += moved
		p.part.RunDelay += waited
		t.work[seenCPU] += moved
		t.work[seenRunDelay] += waited
		if moved > 0 || waited > 0 || !old.asked {
			old.waits, old.cause = l.waitOf(base)
			old.asked = true
		}
		if rest := interval - moved - waited; rest > 0 && old.waits {
			t.work[old.cause] += rest
			p.part.wait(old.cause, rest)
		}
	}
	for tid, th := range p.threads {
		if th.mark != l.work.Looks {
			delete(p.threads, tid)
		}
	}
	l.bytes(pid, p, first)
}

// waitOf is what a thread waits for now, if it does.
func (l *looker) waitOf(base string) (waits bool, cause int) {
	where := string(l.read(base + "wchan"))
	if where == "" || where == "0" || hasBeginning(where, idleFunctions) {
		return false, 0
	}
	cause, waits = causeOf(stackOf(l.read(base + "stack")))
	return waits, cause
}

func (e *EnginePart) wait(cause int, d time.Duration) {
	switch cause {
	case seenDisk:
		e.Disk += d
	case seenNetwork:
		e.Network += d
	default:
		e.Kernel += d
	}
}

// bytes reads what a process has read and written at the block layer.
func (l *looker) bytes(pid int, p *process, first bool) {
	for line := range bytes.Lines(l.read(l.path(pid, "io"))) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(": "))
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			continue
		}
		counter, total := &p.read, &p.part.Read
		switch string(name) {
		case "read_bytes":
		case "write_bytes":
			counter, total = &p.written, &p.part.Written
		default:
			continue
		}
		if !first {
			*total += max(0, n-*counter)
		}
		*counter = n
	}
}

// bury adds a process that has ended to its part.
func (l *looker) bury(p *process) {
	if p.program == "" {
		return
	}
	i := slices.IndexFunc(l.work.Parts, func(e EnginePart) bool { return e.Program == p.program })
	if i < 0 {
		l.work.Parts = append(l.work.Parts, p.part)
		return
	}
	sum := &l.work.Parts[i]
	sum.Processes += p.part.Processes
	sum.CPU += p.part.CPU
	sum.RunDelay += p.part.RunDelay
	sum.Disk += p.part.Disk
	sum.Network += p.part.Network
	sum.Kernel += p.part.Kernel
	sum.Read += p.part.Read
	sum.Written += p.part.Written
}

// read reads a small file into the looker's own buffer, which the next call uses again.
// What cannot be read is empty: the process or the thread has ended.
func (l *looker) read(path string) []byte {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	n, err := unix.Read(fd, l.buffer)
	_ = unix.Close(fd) // read only
	if err != nil || n < 0 {
		return nil
	}
	return l.buffer[:n]
}

// schedstat reads the time on a processor and that of waiting for one
// (Documentation/scheduler/sched-stats.rst).
func schedstat(text []byte) (ran, delayed time.Duration, ok bool) {
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, 0, false
	}
	r, err := strconv.ParseInt(string(fields[0]), 10, 64)
	d, err2 := strconv.ParseInt(string(fields[1]), 10, 64)
	return time.Duration(r), time.Duration(d), err == nil && err2 == nil
}

// stackOf reads the names of the functions of a kernel stack (proc_pid_stack(5)).
func stackOf(text []byte) []string {
	var names []string
	for line := range bytes.Lines(text) {
		_, name, ok := bytes.Cut(line, []byte("] "))
		if !ok {
			continue
		}
		name, _, _ = bytes.Cut(name, []byte("+"))
		names = append(names, string(bytes.TrimSpace(name)))
	}
	return names
}
