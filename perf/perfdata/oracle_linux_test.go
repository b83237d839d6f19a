package perfdata

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
		return []string{filepath.Join(dir, "program"), "350"}
	}},
}

func buildC(t *testing.T, dir string, flags ...string) []string {
	t.Helper()
	run(t, dir, append(append([]string{"gcc"}, flags...), "-pthread", "-o", "program", source("program.c"), "-ldl")...)
	run(t, dir, append(append([]string{"gcc"}, flags...), "-shared", "-fPIC", "-o", "plugin.so", source("plugin.c"))...)
	return []string{filepath.Join(dir, "program"), "150", filepath.Join(dir, "plugin.so")}
}

// recorded makes a recording of a command and returns its path.
func recorded(t testing.TB, dir string, command []string, flags ...string) string {
	t.Helper()
	data := filepath.Join(dir, "perf.data")
	args := append([]string{"perf", "record", "-q", "-N", "-o", data}, flags...)
	run(t, dir, append(append(args, "--"), command...)...)
	return data
}

// maxRecordings bounds how many are made of one kind to have enough samples.
const maxRecordings = 4

// TestAgainstPerfScript checks that of the samples' weight at least 99.5 % has the stack
// that perf script finds, and that other differences are of kinds which are known. What
// perf is known to have wrong is left out of the share, and told.
func TestAgainstPerfScript(t *testing.T) {
	testenv.Working(t, "perf", perfRecords)
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			command := s.build(t, dir)
			for _, graph := range s.graphs {
				c := newComparison(s.name + ", " + graph)
				c.chained = s.name == "Go"
				for range maxRecordings {
					c.add(t, recorded(t, dir, command, "-e", "cpu-clock", "-F", "9000", "--call-graph", graph))
					if c.samples >= leastSamples && c.of > 0 { // perf may lose all of Go's stacks
						break
					}
				}
				c.judge(t)
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
	dump   *oracleDump // of ours alone; nil: there is none
}

// An oracleDump is a stack that was dumped, with what was made of it.
type oracleDump struct {
	regs  registers
	stack []byte
	maps  []mapping
	// ips are the addresses of the walk, and second those of the second opinion; whether
	// either got to what a thread begins with.
	ips, second      []uint64
	root, secondRoot bool
	by               *secondWalk
}

type oracleFrame struct {
	ip      uint64 // as perf script shows it
	name    string
	module  string
	address uint64 // in the module, where the name was looked up; of ours alone
}

// pageSize is what addresses in a file and in a process have in common.
const pageSize = 4096

// caller reports whether ip is what a call returns to, so that the name is that of one byte
// before: so it is in a chain of the kernel.
func (f oracleFrame) caller() bool { return (f.address+1)%pageSize == f.ip%pageSize }

// handlerReturn reports whether the frame is what a handler of signals returns to. There is
// no call before it, but of walks through dumps perf shows all callers one byte before.
func (f oracleFrame) handlerReturn() bool { return (f.address-1)%pageSize == f.ip%pageSize }

// agreed reports whether the second opinion is the same as the walk.
func (d *oracleDump) agreed() bool {
	return d.root == d.secondRoot && slices.Equal(d.ips, d.second)
}

// leastEqual is the share of the weight that has to have perf's stack, and leastSamples
// how many it is taken of: one of them is to be a tenth of a percent at most.
const (
	leastEqual   = 0.995
	leastSamples = 1000
)

// A comparison adds up what recordings of one kind say.
type comparison struct {
	name           string
	symbols        *oracleSymbols
	samples        int
	agreed         int   // samples on which the second opinion is the same
	all, of, equal int64 // weight; of: without what perf is known to have wrong
	classes        map[string]int64
	chained        bool // the program keeps frame pointers everywhere
	// chains is how many walks were held against the frame pointers.
	chains, chainsAgreed int
	settled              map[string]int // samples that gdb was asked about, by class
}

func newComparison(name string) *comparison {
	return &comparison{name: name, symbols: newOracleSymbols(), classes: map[string]int64{}, settled: map[string]int{}}
}

// add compares the samples of a recording.
func (c *comparison) add(t *testing.T, data string) {
	t.Helper()
	theirs := scriptSamples(t, data)
	ours, _ := ownSamples(t, data)
	if len(ours) != len(theirs) {
		t.Fatalf("%s: %d samples, perf script has %d", c.name, len(ours), len(theirs))
	}
	classes := make([]string, len(ours))
	for i, o := range ours {
		p := theirs[i]
		if o.tid != p.tid || o.time != p.time || o.period != p.period {
			t.Fatalf("%s: sample %d is of thread %d at %d, period %d; perf script has %d at %d, %d", c.name, i, o.tid, o.time, o.period, p.tid, p.time, p.period)
		}
		if o.dump != nil && o.dump.agreed() {
			c.agreed++
		}
		if d := o.dump; c.chained && d != nil && len(d.ips) > 0 && strings.HasSuffix(d.find(d.ips[0]).image.path, "program") {
			c.chains++
			if d.chainAgrees() {
				c.chainsAgreed++
			} else {
				t.Logf("%s: the frame pointers lead to %x:\n%s", c.name, d.chain(), sideBySide(o, p))
			}
		}
		classes[i] = c.symbols.difference(o, p)
	}
	c.settle(t, ours, theirs, classes)
	for i, o := range ours {
		c.count(o, classes[i])
		if classes[i] == otherDifference {
			t.Logf("%s: sample of thread %d at %d:\n%s", c.name, o.tid, o.time, sideBySide(o, theirs[i]))
		}
	}
}

// count adds a sample of a class.
func (c *comparison) count(o oneSample, class string) {
	c.samples++
	c.all += o.period
	if class == "" {
		c.equal += o.period
	} else {
		c.classes[class] += o.period
	}
	if class == "" || class == otherDifference {
		c.of += o.period
	}
}

// mostSettled bounds how many samples of each class gdb is asked about. Those on which there
// is no second opinion are more than some only where something is wrong.
const mostSettled, mostUnclear = 2, 20

// mostRounds bounds how often gdb is started: where it cannot say anything of a sample,
// others are asked about in its place, twice as many as before.
const mostRounds = 5

// gdbCannotSay is counted beside the classes.
const gdbCannotSay = "gdb cannot say"

// settle asks gdb: about some samples of which perf is said to have the stack wrong, where
// gdb must not say otherwise; and about those where there is no second opinion, as the call
// frame information says nothing of the code. Where gdb finds the walk's addresses, these
// get the class that they would have with one.
func (c *comparison) settle(t *testing.T, ours, theirs []oneSample, classes []string) {
	t.Helper()
	done := map[int]bool{} // samples that gdb was asked about
	for round := range mostRounds {
		ask := c.toAsk(ours, classes, done, 1<<round)
		if len(ask) == 0 {
			return
		}
		var dumps []*oracleDump
		for _, i := range ask {
			dumps = append(dumps, ours[i].dump)
			done[i] = true
		}
		for n, gdb := range gdbWalks(t, dumps) {
			c.heard(t, gdb, &ours[ask[n]], &theirs[ask[n]], &classes[ask[n]])
		}
	}
}

// toAsk chooses samples that gdb has not been asked about: for each answer that is wanted of
// a class, so many.
func (c *comparison) toAsk(ours []oneSample, classes []string, done map[int]bool, each int) (ask []int) {
	asked := map[string]int{}
	for i, o := range ours {
		most := 0
		switch classes[i] {
		case perfLosesFrames, perfStrays:
			if !o.dump.trapped() {
				most = mostSettled
			}
		case otherDifference:
			if o.dump != nil && !o.dump.agreed() {
				most = mostUnclear
			}
		}
		if !done[i] && asked[classes[i]] < each*(most-c.settled[classes[i]]) {
			asked[classes[i]]++
			ask = append(ask, i)
		}
	}
	return ask
}

// heard takes what gdb says of a sample.
func (c *comparison) heard(t *testing.T, gdb gdbWalk, o, p *oneSample, class *string) {
	t.Helper()
	if gdb.cannot == "" && !o.dump.gdbAgrees(gdb.ips) {
		switch {
		case o.dump.gdbGivesUp(gdb):
			gdb.cannot = fmt.Sprintf("what lies at %#x, below the stack, is not dumped", gdb.unread)
		case o.dump.gdbGuesses(gdb):
			gdb.cannot = "nothing describes the code, and it guesses"
		}
	}
	if gdb.cannot != "" {
		t.Logf("%s: sample of thread %d at %d: %s: %s; it has the addresses %x\n%s", c.name, o.tid, o.time, gdbCannotSay, gdb.cannot, gdb.ips, sideBySide(*o, *p))
		c.settled[gdbCannotSay]++
		return
	}
	switch agrees := o.dump.gdbAgrees(gdb.ips); {
	case !agrees && *class == otherDifference:
	case !agrees:
		t.Errorf("%s: sample of thread %d at %d: gdb has the addresses %x\n%s", c.name, o.tid, o.time, gdb.ips, sideBySide(*o, *p))
	case *class == otherDifference:
		o.dump.second, o.dump.secondRoot = o.dump.ips, o.dump.root
		*class = c.symbols.difference(*o, *p)
	}
	c.settled[*class]++
}

// judge says what has come of it.
func (c *comparison) judge(t *testing.T) {
	t.Helper()
	share := float64(c.equal) / float64(max(c.of, 1))
	t.Logf("%s: %d samples, %.2f %% of the weight equal, %d walks as the second opinion has them, asked of gdb %v; %s", c.name, c.samples, 100*share, c.agreed, c.settled, classText(c.classes, c.all))
	if c.chains > 0 {
		t.Logf("%s: %d of %d walks have the callers that the frame pointers lead to", c.name, c.chainsAgreed, c.chains)
		if float64(c.chainsAgreed) < leastEqual*float64(c.chains) {
			t.Errorf("%s: fewer than %.1f %% have", c.name, 100*leastEqual)
		}
	}
	if share < leastEqual {
		t.Errorf("%s: %.2f %% of the weight has perf script's stack, want %.1f %%", c.name, 100*share, 100*leastEqual)
	}
	if n := c.classes[otherDifference]; n > 0 {
		t.Errorf("%s: %.2f %% of the weight differs in a way that nobody has looked at", c.name, 100*float64(n)/float64(c.all))
	}
}

func compareWithPerf(t *testing.T, name, data string) {
	t.Helper()
	c := newComparison(name)
	c.add(t, data)
	c.judge(t)
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
			l = fmt.Sprintf("%x %s (%s)", o.frames[i].ip, o.frames[i].name, filepath.Base(o.frames[i].module))
		}
		if i < len(p.frames) {
			r = fmt.Sprintf("%x %s (%s)", p.frames[i].ip, p.frames[i].name, filepath.Base(p.frames[i].module))
		}
		fmt.Fprintf(&b, "\t%-70.70s | %.90s\n", l, r)
	}
	if d := o.dump; d != nil {
		fmt.Fprintf(&b, "\tthe walk: %x, to the root: %v\n\tthe second: %x, to the root: %v\n", d.ips, d.root, d.second, d.secondRoot)
	}
	return b.String()
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
	second := newSecondWalk(t)
	type kept struct {
		oneSample
		sites []int32
		ips   []uint64
	}
	var all []kept
	s := newSession(func(s *session, r record) {
		n, rooted := c.result.Samples, c.result.Walks[WalkedToRoot]
		c.take(s, r)
		if c.result.Samples == n {
			return
		}
		x := &c.sample
		one := oneSample{tid: int(int32(x.tid)), time: x.time, period: int64(x.period)}
		if x.regsABI == abi64 {
			one.dump = second.dump(c, c.result.Walks[WalkedToRoot] > rooted)
		}
		all = append(all, kept{one, slices.Clone(c.sites), shownAddresses(c)})
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
		if len(k.ips) != len(k.sites) {
			t.Fatalf("%s: the sample at %d has %d addresses and %d places", data, k.time, len(k.ips), len(k.sites))
		}
		one := k.oneSample
		for i, id := range k.sites {
			x := c.stacks.sites[id]
			f := oracleFrame{ip: k.ips[i], name: unknownName, module: unknownName, address: x.address}
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

// shownAddresses are the addresses of the sample's stack as perf script shows them: those
// of its chain, and behind them those of the walk through a dump. What lies in a file is
// shown by where it is in that.
func shownAddresses(c *collector) (out []uint64) {
	dumped := c.sample.regsABI != 0 && len(c.sample.stack) > 0
	show := func(ip uint64) {
		if m := c.find(ip); m != nil && m.image.kind != imageJIT && m.image.kind != imageNone {
			ip += m.offset - m.start
		}
		out = append(out, ip)
	}
	mode := contextKernel
	for b := c.sample.callchain; len(b) >= 8; b = b[8:] {
		switch ip := order.Uint64(b); {
		case ip >= contextMax:
			mode = ip
		case mode == contextKernel:
			out = append(out, ip)
		case ip != 0 && !dumped:
			show(ip)
		}
	}
	if dumped {
		for _, ip := range c.ips {
			show(ip)
		}
	}
	if len(out) == 0 {
		show(c.sample.ip)
	}
	return out
}

func bySample(all []oneSample) {
	slices.SortStableFunc(all, func(a, b oneSample) int { return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.tid, b.tid)) })
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
