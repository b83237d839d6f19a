package perfdata

import (
	"bufio"
	"bytes"
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// What is read from a recording is held against what perf script makes of it, sample by
// sample. The recordings are made by the test, of programs in testdata/record that do what
// a reader has to cope with.

// perfRecords is the attempt to record anything by perf.
func perfRecords() error {
	dir, err := os.MkdirTemp("", "perfdata")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if out, err := exec.Command("perf", "record", "-q", "-o", filepath.Join(dir, "perf.data"), "-e", "cpu-clock:u", "true").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// A subject is a program that is recorded.
type subject struct {
	name string
	// graphs are the ways in which its stacks are recorded: frame pointers only of what
	// keeps them.
	graphs []string
	// build makes the program in a folder and returns the command.
	build func(t *testing.T, dir string) []string
}

func source(name string) string {
	path, err := filepath.Abs(filepath.Join("testdata", "record", name))
	if err != nil {
		panic(err)
	}
	return path
}

var subjects = []subject{
	{"C", []string{"dwarf"}, func(t *testing.T, dir string) []string { return buildC(t, dir, "-O2", "-g") }},
	{"C with frame pointers", []string{"fp", "dwarf"}, func(t *testing.T, dir string) []string {
		return buildC(t, dir, "-O2", "-g", "-fno-omit-frame-pointer")
	}},
	{"C stripped", []string{"dwarf"}, func(t *testing.T, dir string) []string {
		command := buildC(t, dir, "-O2", "-g")
		run(t, dir, "objcopy", "--only-keep-debug", "program", "program.debug")
		run(t, dir, "objcopy", "--strip-all", "--add-gnu-debuglink=program.debug", "program")
		return command
	}},
	{"C++", []string{"dwarf"}, func(t *testing.T, dir string) []string {
		run(t, dir, "g++", "-O2", "-g", "-pthread", "-o", "program", source("program.cpp"))
		return []string{filepath.Join(dir, "program"), "1500"}
	}},
	{"Rust", []string{"fp", "dwarf"}, func(t *testing.T, dir string) []string {
		run(t, dir, "rustc", "-O", "-g", "-C", "force-frame-pointers=yes", "-o", "program", source("program.rs"))
		return []string{filepath.Join(dir, "program"), "2000"}
	}},
	{"Go", []string{"fp", "dwarf"}, func(t *testing.T, dir string) []string {
		run(t, source("go"), "go", "build", "-o", filepath.Join(dir, "program"), ".")
		return []string{filepath.Join(dir, "program"), "700"}
	}},
}

func buildC(t *testing.T, dir string, flags ...string) []string {
	t.Helper()
	run(t, dir, append(append([]string{"gcc"}, flags...), "-pthread", "-o", "program", source("program.c"), "-ldl")...)
	run(t, dir, append(append([]string{"gcc"}, flags...), "-shared", "-fPIC", "-o", "plugin.so", source("plugin.c"))...)
	return []string{filepath.Join(dir, "program"), "300", filepath.Join(dir, "plugin.so")}
}

// recorded makes a recording of a command and returns its path.
func recorded(t testing.TB, dir string, command []string, flags ...string) string {
	t.Helper()
	data := filepath.Join(dir, "perf.data")
	args := append([]string{"perf", "record", "-q", "-N", "-o", data}, flags...)
	run(t, dir, append(append(args, "--"), command...)...)
	return data
}

// TestAgainstPerfScript checks that of the samples' weight at least 99.5 % has the stack
// that perf script finds, and that other differences are of kinds which are known. What
// perf itself loses frames of is left out of the share: it is told, and has to reach the
// root here.
func TestAgainstPerfScript(t *testing.T) {
	testenv.Working(t, "perf", perfRecords)
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			command := s.build(t, dir)
			for _, graph := range s.graphs {
				data := recorded(t, dir, command, "-e", "cpu-clock", "-F", "2500", "--call-graph", graph)
				compareWithPerf(t, s.name+", "+graph, data)
			}
		})
	}
}

// An oneSample is a sample as either side has it, innermost frame first.
type oneSample struct {
	tid    int
	time   uint64
	period int64
	frames []oracleFrame
}

type oracleFrame struct {
	address uint64 // in perf's text
	name    string
	module  string
}

// leastEqual is the share of the weight that has to have perf's stack.
const leastEqual = 0.995

func compareWithPerf(t *testing.T, name, data string) {
	t.Helper()
	theirs := scriptSamples(t, data)
	ours, _ := ownSamples(t, data)
	if len(ours) != len(theirs) {
		t.Fatalf("%s: %d samples, perf script has %d", name, len(ours), len(theirs))
	}
	aliases := newAliases()
	var all, total, equal int64 // total is without what perf loses
	classes := map[string]int64{}
	for i, o := range ours {
		p := theirs[i]
		if o.tid != p.tid || o.time != p.time || o.period != p.period {
			t.Fatalf("%s: sample %d is of thread %d at %d, period %d; perf script has %d at %d, %d", name, i, o.tid, o.time, o.period, p.tid, p.time, p.period)
		}
		all += o.period
		total += o.period
		class := aliases.difference(o, p)
		if class == "" {
			equal += o.period
			continue
		}
		classes[class] += o.period
		if class == perfLosesFrames {
			total -= o.period
		}
		if class == otherDifference {
			t.Logf("%s: sample of thread %d at %d:\n%s", name, o.tid, o.time, sideBySide(o, p))
		}
	}
	share := float64(equal) / float64(max(total, 1))
	t.Logf("%s: %d samples, %.2f %% of the weight equal; %s", name, len(ours), 100*share, classText(classes, all))
	if share < leastEqual && total > all/50 { // of Go's programs, perf unwinds none

		t.Errorf("%s: %.2f %% of the weight has perf script's stack, want %.1f %%", name, 100*share, 100*leastEqual)
	}
	// Single samples at moments that come once in many recordings are told above.
	if float64(classes[otherDifference]) > (1-leastEqual)*float64(all) {
		t.Errorf("%s: %.2f %% of the weight differs in a way that nobody has looked at", name, 100*float64(classes[otherDifference])/float64(all))
	}
}

func classText(classes map[string]int64, total int64) string {
	var out []string
	for c, n := range classes {
		out = append(out, fmt.Sprintf("%s %.3f %%", c, 100*float64(n)/float64(total)))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func sideBySide(o, p oneSample) string {
	var b strings.Builder
	for i := range max(len(o.frames), len(p.frames)) {
		var l, r string
		if i < len(o.frames) {
			l = fmt.Sprintf("%x %s (%s)", o.frames[i].address, o.frames[i].name, filepath.Base(o.frames[i].module))
		}
		if i < len(p.frames) {
			r = fmt.Sprintf("%x %s (%s)", p.frames[i].address, p.frames[i].name, filepath.Base(p.frames[i].module))
		}
		fmt.Fprintf(&b, "\t%-70.70s | %.90s\n", l, r)
	}
	return b.String()
}

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
	f = oracleFrame{ip, strings.TrimSpace(rest[:open]), strings.TrimSuffix(rest[open+2:], ")")}
	return f, ip+1 <= 1 && f.module == unknownName // or that minus one
}

// ownSamples reads a recording, one stack a sample.
func ownSamples(t testing.TB, data string) ([]oneSample, *Recording) {
	t.Helper()
	f, err := os.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	c := newCollector(Options{NoInlined: true, Open: OpenFile})
	type kept struct {
		sample
		sites []int32
	}
	var all []kept
	s := newSession(func(s *session, r record) {
		n := c.result.Samples
		c.take(s, r)
		if c.result.Samples > n {
			all = append(all, kept{sample{tid: c.sample.tid, time: c.sample.time, period: c.sample.period}, slices.Clone(c.sites)})
		}
	})
	c.world.images.facts = &s.facts
	defer c.world.images.close()
	if err := s.read(f); err != nil {
		t.Fatal(err)
	}
	rec, err := c.finish(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range rec.Faults {
		t.Errorf("%s: %s", data, f)
	}
	n := c.findNames()
	var out []oneSample
	for _, k := range all {
		one := oneSample{tid: int(int32(k.tid)), time: k.time, period: int64(k.period)}
		for _, id := range k.sites {
			x := c.stacks.sites[id]
			f := oracleFrame{x.address, unknownName, unknownName}
			if x.image != nil {
				f.module = x.image.path
			}
			if names := n.bySite[id]; len(names) > 0 {
				f.name = names[0].Symbol
			}
			one.frames = append(one.frames, f)
		}
		out = append(out, one)
	}
	bySample(out)
	return out, rec
}

func bySample(all []oneSample) {
	slices.SortStableFunc(all, func(a, b oneSample) int { return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.tid, b.tid)) })
}

// Kinds of differences. Each is one that was looked at.
const (
	// perf (6.1, with libunwind) leaves frames out or gives up, mostly in processes that
	// have begun another program; here the stack goes to the function that a thread begins
	// with, and has all that perf has.
	perfLosesFrames = "perf loses frames"
	// perf looks a caller in a chain of frame pointers up where it returns to, which is
	// another function where the call was the last instruction; so is it where the code
	// keeps no frame pointers and the chain leads through whatever lay there.
	afterTheCall = "perf names what follows a call"

	otherDifference = "OTHER"
)

// roots are what threads begin with.
var roots = []string{"_start", "__clone3", "clone3", "__GI___clone3", "__clone", "_rt0_amd64_linux", "__restore_rt"}

// difference says in which way two stacks differ; empty: in none.
func (a *aliases) difference(o, p oneSample) string {
	if len(o.frames) > len(p.frames) && len(p.frames) > 0 && a.hasAll(o.frames, p.frames) {
		last := plainSymbol(o.frames[len(o.frames)-1].name)
		if slices.Contains(roots, last) || strings.HasPrefix(last, "runtime.") { // of Go perf unwinds nothing
			return perfLosesFrames
		}
		return otherDifference
	}
	if len(o.frames) != len(p.frames) {
		return otherDifference
	}
	class := ""
	for i := range o.frames {
		switch x, y := o.frames[i], p.frames[i]; {
		case a.same(x, y):
		case i > 0 && (x.address+1)%4096 == y.address%4096:
			class = afterTheCall
		default:
			return otherDifference
		}
	}
	return class
}

// hasAll reports whether all frames of p stand in o, in their order.
func (a *aliases) hasAll(o, p []oracleFrame) bool {
	for _, f := range o {
		if len(p) > 0 && a.same(f, p[0]) {
			p = p[1:]
		}
	}
	return len(p) == 0
}

// aliases knows the names that one function has: perf and this package may choose
// different ones.
type aliases struct {
	byName map[string]map[string]uint64 // module, name: address
}

func newAliases() *aliases { return &aliases{map[string]map[string]uint64{}} }

func (a *aliases) same(o, p oracleFrame) bool {
	if plainSymbol(o.name) == plainSymbol(p.name) || o.name == unknownName && p.name == namelessPLT {
		return true
	}
	// perf looks up what a handler of signals returns to one byte before, where nothing is.
	if o.name == "__restore_rt" && p.name == unknownName && (o.address-1)%4096 == p.address%4096 {
		return true
	}
	table := a.table(o.module)
	x, ok := table[plainSymbol(o.name)]
	y, ok2 := table[plainSymbol(p.name)]
	return ok && ok2 && x == y
}

// namelessPLT is what perf calls an entry of a procedure linkage table whose function has
// no name.
const namelessPLT = "@plt"

// plainSymbol is a name without its version.
func plainSymbol(name string) string {
	if i := strings.IndexByte(name, '@'); i > 0 && !strings.HasSuffix(name, pltSuffix) {
		return name[:i]
	}
	return name
}

// table is where the functions of a module begin.
func (a *aliases) table(module string) map[string]uint64 {
	if t, ok := a.byName[module]; ok {
		return t
	}
	t := map[string]uint64{}
	if strings.HasPrefix(module, "[") {
		readKernelNames(t)
	} else {
		readELFNames(module, t)
	}
	a.byName[module] = t
	return t
}

func readKernelNames(into map[string]uint64) {
	data, err := os.ReadFile(kallsymsFile)
	if err != nil {
		return
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) >= 3 {
			if address, err := strconv.ParseUint(fields[0], 16, 64); err == nil {
				into[fields[2]] = address
			}
		}
	}
}

func readELFNames(path string, into map[string]uint64) {
	files := []string{path, strings.TrimSuffix(path, ".so") + ".debug"}
	if o, err := OpenFile(path); err == nil {
		if obj, err := openObject(path, o); err == nil {
			files = append(files, buildIDPath(gnuBuildID(obj)))
			_ = obj.Close()
		}
	}
	for _, name := range files {
		f, err := elf.Open(name)
		if err != nil {
			continue
		}
		symbols, _ := f.Symbols()
		dynamic, _ := f.DynamicSymbols()
		for _, s := range append(symbols, dynamic...) {
			into[s.Name] = s.Value
		}
		_ = f.Close()
	}
}

func init() { recordAnew = makeRecordings }

// makeRecordings makes those of testdata. What perf script says of them must agree.
func makeRecordings(t *testing.T) {
	t.Helper()
	testenv.Working(t, "perf", perfRecords)
	dir := filepath.Dir(recordedProgram)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	run(t, dir, "gcc", "-O2", "-fno-omit-frame-pointer", "-mno-omit-leaf-frame-pointer", "-nostdlib", "-static", "-Wl,--eh-frame-hdr", "-o", recordedProgram, source("small.c"))
	b, err := os.ReadFile(recordedProgram)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(recordingsDir, "small"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, flags := range recordingFlags {
		data := recorded(t, dir, []string{recordedProgram}, flags...)
		if name != "offcpu" && name != "events" { // perf script has these in another form
			compareWithPerf(t, name, data)
		}
		shell := append([]string{"sh", "-c", `perf record -q -N -o - "$@" | cat`, "sh"}, flags...)
		pipe := []byte(run(t, dir, append(shell, recordedProgram)...))
		if err := os.WriteFile(filepath.Join(recordingsDir, name+".perf"), withoutMachine(t, pipe), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
