package measure

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// accounts are what the kernel keeps of a process until it is reaped, and wait4
// does not tell. The numbers of /proc/PID/io include those of all descendants that
// were waited for, as those of wait4 do; schedstat is of the main thread alone,
// since the kernel keeps no sum of threads that have exited.
//
// They must be read between the death of a timed command and its reaping, while
// its clock runs. To open the files earlier would not help: it takes longer than
// to read them, and where no CPU is idle the command waits for it. So the clock
// stands still meanwhile: nothing of the command happens in that time, and it
// would add 3 % to /bin/true.
type accounts struct {
	files [2]accountFile // io, schedstat
}

type accountFile struct {
	fd   int
	text [512]byte
	n    int
}

// read takes down the numbers of process pid, which costs 15 µs. They
// are closed by enter, after the reaping, as the kernel is quicker to drop a process of
// which it need not tidy up cached names as well.
func (a *accounts) read(pid int) {
	dir := "/proc/" + strconv.Itoa(pid)
	for i, name := range [...]string{"/io", "/schedstat"} {
		f := &a.files[i]
		f.n = 0
		// By the bare system call: a Go file would be offered to the poller too.
		var err error
		if f.fd, err = unix.Open(dir+name, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			f.fd = -1
			continue
		}
		f.n, _ = unix.Read(f.fd, f.text[:])
	}
}

func (a *accounts) close() {
	for i := range a.files {
		if f := &a.files[i]; f.fd >= 0 {
			_ = unix.Close(f.fd)
			f.fd = -1
		}
	}
}

// enter closes the accounts and puts into run what was read.
func (a *accounts) enter(run *Run) {
	a.close()
	io, sched := a.files[0].bytes(), a.files[1].bytes()
	read, okRead := procField(io, "rchar:")
	written, okWritten := procField(io, "wchar:")
	if okRead && okWritten {
		run.HasIO, run.ReadBytes, run.WrittenBytes = true, read, written
	}
	run.RunDelay, run.HasRunDelay = parseSchedstat(string(sched))
}

func (f *accountFile) bytes() []byte { return f.text[:max(f.n, 0)] }

// procField returns the number after key at the start of a line, as in
// /proc/PID/io, status and smaps_rollup.
func procField(data []byte, key string) (int64, bool) {
	for line := range bytes.Lines(data) {
		rest, ok := bytes.CutPrefix(line, []byte(key))
		if !ok {
			continue
		}
		fields := bytes.Fields(rest)
		if len(fields) == 0 {
			return 0, false
		}
		n, err := strconv.ParseInt(string(fields[0]), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// parseSchedstat reads /proc/PID/schedstat: time on a CPU and time waiting for
// one, in ns, and the number of turns. All is zero on a kernel that does not keep
// them, as a process that ran had at least one turn.
func parseSchedstat(line string) (delay time.Duration, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 3 || fields[2] == "0" {
		return 0, false
	}
	ns, err := strconv.ParseInt(fields[1], 10, 64)
	return time.Duration(ns), err == nil
}

// A contention is a reading of how busy others kept the CPUs since boot.
type contention struct {
	pressure, steal       time.Duration
	hasPressure, hasSteal bool
}

// readContention reads both outside of the timed part of a run: the first takes
// 10 µs, the second more the more CPUs there are.
func readContention() contention {
	var c contention
	if data, err := os.ReadFile("/proc/pressure/cpu"); err == nil {
		c.pressure, c.hasPressure = parsePressure(string(data))
	}
	if data, err := readHead("/proc/stat"); err == nil {
		c.steal, c.hasSteal = parseSteal(data)
	}
	return c
}

// until enters into run what was added from c to end.
func (c contention) until(end contention, run *Run) {
	if c.hasPressure && end.hasPressure {
		run.HasPressure, run.Pressure = true, end.pressure-c.pressure
	}
	if c.hasSteal && end.hasSteal {
		// Some hypervisors correct the figure downwards.
		run.HasSteal, run.Steal = true, max(0, end.steal-c.steal)
	}
}

// parsePressure returns the total of the line "some" (Linux
// Documentation/accounting/psi.rst), which counts in microseconds.
func parsePressure(text string) (time.Duration, bool) {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "some ") {
			continue
		}
		_, total, ok := strings.Cut(line, "total=")
		us, err := strconv.ParseInt(strings.TrimSpace(total), 10, 64)
		return time.Duration(us) * time.Microsecond, ok && err == nil
	}
	return 0, false
}

// userTick is the unit of /proc/stat: USER_HZ is 100 on every Linux.
const userTick = 10 * time.Millisecond

// parseSteal returns the eighth number of the line "cpu" of /proc/stat (proc_stat(5)).
func parseSteal(text string) (time.Duration, bool) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, false
	}
	ticks, err := strconv.ParseInt(fields[8], 10, 64)
	return time.Duration(ticks) * userTick, err == nil
}

// readHead reads the beginning of a file: /proc/stat has a line for every CPU
// and a word for every interrupt, of which the first line is all that counts.
func readHead(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := f.Read(head)
	return string(head[:n]), err
}
