package perfdata

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "record testdata/recordings anew, with perf, and write what is to be read of them")

// recordingsDir is where recordings by perf lie with their program, for machines that have
// no perf. They are those of recordingFlags, without the parts that say whose machine it
// was; README.md says how they are made.
const recordingsDir = "testdata/recordings"

// recordedProgram is where the program lay when it was recorded.
const recordedProgram = "/tmp/perfdata-recorded/small"

// recordingFlags are the recordings, by the flags of perf record. All are in its pipe form.
var recordingFlags = map[string][]string{
	"dwarf":      {"-e", "cpu-clock:u", "-F", "999", "--call-graph", "dwarf,512"},
	"fp":         {"-e", "cpu-clock:u", "-F", "999", "--call-graph", "fp"},
	"compressed": {"-e", "cpu-clock:u", "-F", "999", "--call-graph", "dwarf,1024", "-z"},
	"events":     {"-e", "cpu-clock:u,task-clock:u", "-F", "500", "--call-graph", "fp", "-d", "--weight", "--phys-data", "--transaction"},
	"offcpu":     {"-e", "context-switches", "-c", "1", "--switch-events", "--call-graph", "dwarf,512", "--user-callchains"},
}

// recordAnew makes the recordings, where perf can be.
var recordAnew func(t *testing.T)

// recordedFiles opens the program of the recordings, under the path that they name.
func recordedFiles(path string) (File, error) {
	if path == recordedProgram {
		return OpenFile(filepath.Join(recordingsDir, "small"))
	}
	return noFiles(path)
}

// TestRecordings reads the recordings of perf that lie in testdata.
func TestRecordings(t *testing.T) {
	if *update {
		if recordAnew == nil {
			t.Fatal("only perf on Linux makes recordings")
		}
		recordAnew(t)
	}
	for name := range recordingFlags {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(recordingsDir, name+".perf"))
			if err != nil {
				t.Fatal(err)
			}
			r := readBytes(t, b, Options{Open: recordedFiles, Threads: false, OffCPU: name == "offcpu"})
			if r.Faulty != 0 || r.UnknownRecords != 0 {
				t.Errorf("%d unknown records, faults %v", r.UnknownRecords, r.Faults)
			}
			got := namedStacks(r)
			golden := filepath.Join(recordingsDir, name+".folded")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the stacks are\n%s\nwant\n%s", got, want)
			}
			// The same records as a file.
			if got := namedStacks(readBytes(t, asFile(t, b), Options{Open: recordedFiles, OffCPU: name == "offcpu"})); got != string(want) {
				t.Errorf("as a file, the stacks are\n%s", got)
			}
		})
	}
}

// namedStacks is a profile as folded stacks, and what is said beside it.
func namedStacks(r *Recording) string {
	sums := map[string]int64{}
	for _, s := range r.Profile.Sample {
		var b strings.Builder
		b.WriteString(s.Label["comm"][0])
		for _, l := range slices.Backward(s.Location) {
			b.WriteString(";" + l.Line[len(l.Line)-1].Function.Name)
		}
		sums[b.String()] += s.Value[1]
	}
	lines := []string{fmt.Sprintf("# %s, others %v, %d samples, %d lost, walks %v, waits %+v", r.Event, r.Others, r.Samples, r.Lost, r.Walks, r.Waits)}
	for s, n := range sums {
		lines = append(lines, fmt.Sprintf("%s %d", s, n))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// recordsOf cuts a recording in pipe form into its records.
func recordsOf(t *testing.T, b []byte) (all [][]byte) {
	t.Helper()
	for b = b[pipeHeaderSize:]; len(b) > 0; {
		n := int(binary.LittleEndian.Uint16(b[6:]))
		if n < recordHeader || n > len(b) {
			t.Fatalf("a record of %d bytes in %d", n, len(b))
		}
		all = append(all, b[:n])
		b = b[n:]
	}
	return all
}

// memoryWriter is a file in memory.
type memoryWriter struct{ bytes.Buffer }

func (w *memoryWriter) WriteAt(p []byte, at int64) (int, error) { return copy(w.Bytes()[at:], p), nil }

// asFile turns a recording in pipe form into a file.
func asFile(t *testing.T, b []byte) []byte {
	t.Helper()
	var events []EventAttr
	names := map[uint64]string{}
	var rest [][]byte
	for _, r := range recordsOf(t, b) {
		body := r[recordHeader:]
		switch binary.LittleEndian.Uint32(r) {
		case recHeaderAttr:
			size := binary.LittleEndian.Uint32(body[4:])
			events = append(events, EventAttr{Attr: body[:size], IDs: words(body[size:])})
		case recEventUpdate:
			if binary.LittleEndian.Uint64(body) == updateName {
				names[binary.LittleEndian.Uint64(body[8:])] = cString(body[16:])
			}
		case recHeaderFeature:
		default:
			rest = append(rest, r)
		}
	}
	for i := range events {
		e, err := parseAttr(events[i].Attr)
		if err != nil {
			t.Fatal(err)
		}
		events[i].Name = e.name
		if n := names[events[i].IDs[0]]; n != "" {
			events[i].Name = n
		}
	}
	var out memoryWriter
	w, err := NewWriter(&out, "x86_64", events...)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rest {
		if _, err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// withoutMachine leaves out of a recording what says whose machine it was.
func withoutMachine(t *testing.T, b []byte) []byte {
	t.Helper()
	out := slices.Clone(b[:pipeHeaderSize])
	for _, r := range recordsOf(t, b) {
		switch binary.LittleEndian.Uint32(r) {
		case recHeaderFeature:
			if f := binary.LittleEndian.Uint64(r[recordHeader:]); f != featArch && f != featEventDesc {
				continue
			}
		case recThreadMap, recCPUMap, recHeaderBuildID:
			continue
		case recMmap: // of the kernel
			continue
		}
		out = append(out, r...)
	}
	return out
}
