package perfdata

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// scriptSamples runs perf script.
func scriptSamples(t *testing.T, data string) []oneSample {
	t.Helper()
	// 65535 frames: by default perf script shows 127 of them.
	text := run(t, filepath.Dir(data), "perf", "script", "--no-inline", "--no-demangle", "--ns", "--max-stack", "65535", "-i", data, "-F", "tid,time,period,ip,sym,dso")
	var all []oneSample
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch fields := strings.Fields(line); {
		case line == "":
		case line[0] == ' ' && len(fields) >= 3 && strings.HasSuffix(fields[1], ":") || len(fields) == 3 && strings.HasSuffix(fields[1], ":"):
			all = append(all, scriptHeader(t, fields))
		default:
			last := &all[len(all)-1]
			f, zero := scriptFrame(t, line)
			if !zero { // what a thread's first function has in place of a return address
				last.frames = append(last.frames, f)
			}
		}
	}
	bySample(all)
	return all
}

func scriptHeader(t *testing.T, fields []string) oneSample {
	t.Helper()
	tid, err := strconv.Atoi(fields[0])
	seconds, nanos, _ := strings.Cut(strings.TrimSuffix(fields[1], ":"), ".")
	s, err2 := strconv.ParseUint(seconds, 10, 64)
	ns, err3 := strconv.ParseUint(nanos, 10, 64)
	period, err4 := strconv.ParseInt(fields[2], 10, 64)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		t.Fatalf("perf script says %q: %v", fields, err)
	}
	return oneSample{tid: tid, time: 1e9*s + ns, period: period}
}

func scriptFrame(t *testing.T, line string) (f oracleFrame, zero bool) {
	t.Helper()
	line = strings.TrimSpace(line)
	address, rest, _ := strings.Cut(line, " ")
	open := strings.LastIndex(rest, " (")
	ip, err := strconv.ParseUint(address, 16, 64)
	if err != nil || open < 0 {
		t.Fatalf("perf script has the frame %q", line)
	}
	f = oracleFrame{ip: ip, name: strings.TrimSpace(rest[:open]), module: strings.TrimSuffix(rest[open+2:], ")")}
	return f, ip+1 <= 1 && f.module == unknownName // or that minus one
}
