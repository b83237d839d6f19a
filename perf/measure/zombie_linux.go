package measure

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// readZombie takes down what the kernel keeps of a dead process until it is
// reaped, and wait4 does not tell. The numbers of /proc/PID/io include those of
// all descendants that were waited for, as those of wait4 do; schedstat is of the
// main thread alone, since the kernel keeps no sum of threads that have exited.
func (a *attempt) readZombie() {
	if data, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", a.pid)); err == nil {
		read, okRead := procField(data, "rchar:")
		written, okWritten := procField(data, "wchar:")
		a.run.HasIO = okRead && okWritten
		if a.run.HasIO {
			a.run.ReadBytes, a.run.WrittenBytes = read, written
		}
	}
	if data, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", a.pid)); err == nil {
		a.run.RunDelay, a.run.HasRunDelay = parseSchedstat(string(data))
	}
}

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
