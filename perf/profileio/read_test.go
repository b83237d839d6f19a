package profileio

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/klauspost/compress/zstd"
)

func readText(t *testing.T, text string, o Options) (*profile.Profile, Report) {
	t.Helper()
	p, report, err := Read(strings.NewReader(text), "in", o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Faults {
		t.Error(f)
	}
	return p, report
}

// sums returns the sum of each sample type.
func sums(p *profile.Profile) map[string]int64 {
	out := map[string]int64{}
	for i, st := range p.SampleType {
		for _, s := range p.Sample {
			out[st.Type] += s.Value[i]
		}
	}
	return out
}

const scriptText = "x 1/1 1.000001: 5 cycles: \n\t 1 work (/x)\n\t 2 main (/x)\n\n"

const xctraceText = `<?xml version="1.0"?><trace-query-result><node xpath='x'><schema name="time-profile"/>
<row><sample-time id="1" fmt="0">5</sample-time><thread id="2" fmt="main  0x1 (my app, pid: 7)"><tid id="3" fmt="0x1">1</tid><process id="4" fmt="my app (7)"><pid id="5" fmt="7">7</pid></process></thread><process ref="4"/><core id="6" fmt="CPU 3 (P Core)">3</core><thread-state id="7" fmt="Running">Running</thread-state><weight id="8" fmt="1 ms">1000000</weight><backtrace id="9"><frame id="10" name="app::f::h0123456789abcdef" addr="0x10"><binary id="11" name="app" path="/opt/my app/app"/><source line="7"><path id="12">/src/main.rs</path></source></frame><frame id="13" name="start" addr="0x20"><binary ref="11"/></frame></backtrace></row>
<row><sample-time ref="1"/><thread ref="2"/><process ref="4"/><core ref="6"/><thread-state ref="7"/><weight id="14" fmt="3 ms">3000000</weight><tagged-backtrace id="15" fmt="f"><backtrace ref="9"/></tagged-backtrace></row>
<row><sample-time ref="1"/><thread ref="2"/><process ref="4"/><core ref="6"/><thread-state ref="7"/><weight ref="8"/><sentinel/></row>
</node></trace-query-result>`

// TestRecognised feeds every format, bare and compressed, and checks what it is taken
// for and that the stack in it comes out.
func TestRecognised(t *testing.T) {
	heaptrack, err := os.ReadFile("testdata/heaptrack.zst")
	if err != nil {
		t.Fatal(err)
	}
	dhat, err := os.ReadFile("testdata/dhat.json")
	if err != nil {
		t.Fatal(err)
	}
	var pprof bytes.Buffer
	if err := scriptProfile(t, mixed).WriteUncompressed(&pprof); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		format Format
		data   string
		leaf   string
	}{
		{PerfScript, scriptText, "main;work"},
		{PerfScript, "# ========\n# captured on: x\n# ========\n#\n" + scriptText, "main;work"},
		{PerfScript, "node 31912 cpu-clock: \n\t  401000 work (/bin/x)\n\n", "node;work"},
		{PerfScript, "   false 39654 19115.489713:          1 cycles:u:  ffffffff9b201293 work (/x)\n", "false;work"},
		{Folded, "main;work 5\nmain 3\n", "main;work"},
		{Folded, "# comment\njava;a b;c 12\n", "java;a b;c"},
		{Folded, "java;main 12", "java;main"},
		{Pprof, pprof.String(), "do_syscall_64"},
		{Heaptrack, string(heaptrack), "make"},
		{DHAT, string(dhat), "make"},
		{Xctrace, xctraceText, "start;app::f"},
	} {
		for name, data := range map[string]string{"bare": tc.data, "gzip": gzipped(t, tc.data), "zstd": zstded(t, tc.data), "gzip of zstd": gzipped(t, zstded(t, tc.data))} {
			p, report, err := Read(strings.NewReader(data), "in", Options{})
			if err != nil {
				t.Errorf("%s, %s: %v", tc.format, name, err)
				continue
			}
			stacks := strings.Join(slices.Sorted(maps.Keys(FoldProfile(p, 0))), "\n")
			if report.Format != tc.format || !strings.Contains(stacks, tc.leaf) || report.Faulty > 0 {
				t.Errorf("%s, %s: taken for %s, %d faults, stacks %q, want %q in them", tc.format, name, report.Format, report.Faulty, stacks, tc.leaf)
			}
		}
	}
}

func gzipped(t *testing.T, data string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstded(t *testing.T, data string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }() // it has written nothing
	return string(w.EncodeAll([]byte(data), nil))
}

// TestUnreadable checks that what cannot be read is an error that says what it is of
// and where.
func TestUnreadable(t *testing.T) {
	for _, tc := range []struct{ name, data, want string }{
		{"nothing", "", "it is empty"},
		{"blanks", "\n \n", "it is empty"},
		{"prose", "This is a letter.\nIt has lines.\n", "its format is none of"},
		{"perf.data", "PERFILE2\x00\x00", "at offset 0xa: the header is cut off"},
		{"perf.data of another byte order", "2ELIFREP" + strings.Repeat("\x00", 96), "big-endian"},
		{"a message that is no profile", "\x0a\x04\x08\x01\x10\x02\x12\xff\xff\xff\x7f", "as a pprof profile of 11 bytes"},
		{"gzip without an end", gzipped(t, strings.Repeat("a;b 5\n", 9))[:30], "unexpected EOF"},
		{"heaptrack of the future", "v 20000 9\n", `version "20000 9" of heaptrack's format is not known`},
		{"DHAT cut off", `{"dhatFileVersion":2,"mode":"heap","pps":[{"tb":1`, "at byte"},
		{"DHAT of copies", `{"dhatFileVersion":2,"mode":"copy","pps":[],"ftbl":[]}`, `its mode is "copy"`},
		{"DHAT with a frame too many", `{"dhatFileVersion":2,"mode":"heap","pps":[{"fs":[0,7]}],"ftbl":["[root]"]}`, "names the frame 7, and there are 1"},
		{"xctrace cut off", xctraceText[:600], "line 2"},
		{"a line without an end", "a;b 1\n" + strings.Repeat("n", 5*maxLine), "after line 1"},
	} {
		_, _, err := Read(strings.NewReader(tc.data), "bad.in", Options{})
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "bad.in") {
			t.Errorf("%s: %v, want the file and %q", tc.name, err, tc.want)
		}
	}
}

// TestEventChosen checks that another event can be asked for, and what there is is said.
func TestEventChosen(t *testing.T) {
	const two = scriptText + "x 1/1 1.000002: 7 faults: \n\t 1 load (/x)\n\n"
	p, report := readText(t, two, Options{})
	if report.Event != "cycles" || fmt.Sprint(report.Others) != "[faults]" || sums(p)["cycles"] != 5 {
		t.Errorf("%s, others %v, sums %v", report.Event, report.Others, sums(p))
	}
	p, report = readText(t, two, Options{Event: "faults"})
	if report.Event != "faults" || sums(p)["faults"] != 7 {
		t.Errorf("%s, sums %v", report.Event, sums(p))
	}
	if _, _, err := Read(strings.NewReader(two), "in", Options{Event: "misses"}); err == nil || !strings.Contains(err.Error(), `["cycles" "faults"]`) {
		t.Errorf("%v, want what there is instead", err)
	}
	data, err := os.ReadFile("testdata/dhat.json")
	if err != nil {
		t.Fatal(err)
	}
	p, report = readText(t, string(data), Options{Event: "leaked_space"})
	if p.DefaultSampleType != "leaked_space" || len(report.Others) != len(dhatTypes)-1 {
		t.Errorf("the default type is %s, others %v", p.DefaultSampleType, report.Others)
	}
	if _, _, err := Read(bytes.NewReader(data), "in", Options{Event: "misses"}); err == nil || !strings.Contains(err.Error(), "alloc_space") {
		t.Errorf("%v, want what there is instead", err)
	}
}

// TestFoldedRoundTrip checks that folded stacks come back from a profile as they were.
func TestFoldedRoundTrip(t *testing.T) {
	const text = "a;b b;c 5\na;b b;c;do_syscall_64_[k] 7\nz 1\n"
	p, _ := readText(t, text, Options{})
	var out bytes.Buffer
	if err := WriteFoldedProfile(&out, p, 0, FoldOptions{Kernel: true}); err != nil || out.String() != text {
		t.Errorf("%q (%v), want %q", out.String(), err, text)
	}
	var folded bytes.Buffer
	if _, err := Fold(&folded, strings.NewReader(scriptText), "in", Options{}, FoldOptions{TID: true}); err != nil || folded.String() != "x-1/1;main;work 5\n" {
		t.Errorf("%q (%v)", folded.String(), err)
	}
	folded.Reset()
	var pprof bytes.Buffer
	if err := scriptProfile(t, mixed).Write(&pprof); err != nil {
		t.Fatal(err)
	}
	if _, err := Fold(&folded, &pprof, "in", Options{}, FoldOptions{TID: true, Kernel: true}); err != nil || !strings.Contains(folded.String(), "java-x-10/11;do_syscall_64_[k];") {
		t.Errorf("%q (%v), want process, thread and the kernel's mark", folded.String(), err)
	}
}

// TestFoldedWithFaults: a bad line near the head does not make a file of folded stacks another
// one, whose lines would all be read as something else.
func TestFoldedWithFaults(t *testing.T) {
	for _, bad := range []string{"a;b nan", "a;b 1e300", "a;b"} {
		p, report, err := Read(strings.NewReader(bad+"\na;b 7\na;c 5\n"), "in", Options{})
		if err != nil {
			t.Errorf("%q: %v", bad, err)
			continue
		}
		if got := FoldProfile(p, 0); report.Format != Folded || report.Faulty != 1 || got["a;b"] != 7 || got["a;c"] != 5 {
			t.Errorf("%q: %s with %d faults, %v", bad, report.Format, report.Faulty, got)
		}
	}
}

// TestFoldedQuirks reads what programs of the kind write.
func TestFoldedQuirks(t *testing.T) {
	p, report := readText(t, "main (a.c);make (a.c);; 4\nmain (a.c);make (a.c); 1.6\n", Options{})
	folded := FoldProfile(p, 0)
	if folded["main (a.c);make (a.c)"] != 6 || len(folded) != 1 {
		t.Errorf("%v: the nameless frame that heaptrack_print ends with is none", folded)
	}
	if len(report.Notes) != 1 {
		t.Errorf("notes %v, want one that fractions were rounded", report.Notes)
	}
	_, report, err := Read(strings.NewReader(strings.Repeat("a;b 1\n", sniffed)+"no number\n"), "in.folded", Options{})
	if err != nil || report.Faulty != 1 || report.Faults[0].Line != sniffed+1 {
		t.Errorf("%v, faults %v: want one in line %d", err, report.Faults, sniffed+1)
	}
}

// TestHeapRecordings holds the readers against what heaptrack_print and DHAT themselves
// say of the recordings (heaptrack 1.4, valgrind 3.19, ../profiler/testdata/alloc.c).
func TestHeapRecordings(t *testing.T) {
	for _, tc := range []struct {
		file string
		want map[string]int64
	}{
		// 72,704 bytes belong to the C++ library, which heaptrack itself brings in; its
		// temporary ones are 4, as the last of the eight is freed before anything else happens.
		{"heaptrack.zst", map[string]int64{"alloc_objects": 13, "alloc_space": 72704 + 3*64 + 800000 + 4096, "peak_space": 72704 + 800000, "leaked_space": 4096, "temporary_objects": 4}},
		{"dhat.json", map[string]int64{"alloc_objects": 12, "alloc_space": 3*64 + 800000 + 4096, "peak_space": 800000, "leaked_space": 4096, "read_space": 0, "write_space": 3*64 + 800000 + 4096}},
	} {
		data, err := os.ReadFile(filepath.Join("testdata", tc.file))
		if err != nil {
			t.Fatal(err)
		}
		p, _ := readText(t, string(data), Options{})
		if got := sums(p); !maps.Equal(got, tc.want) {
			t.Errorf("%s: %v\nwant %v", tc.file, got, tc.want)
		}
		leaked, err := p.SampleIndexByName("leaked_space")
		if err != nil {
			t.Fatal(err)
		}
		for stack, v := range FoldProfile(p, leaked) {
			if v > 0 && !strings.Contains(stack, "main;leak;make") {
				t.Errorf("%s: %d bytes leak from %s", tc.file, v, stack)
			}
		}
	}
}

// TestHeaptrackPeak checks what was live at the peak, where the peak moves.
func TestHeaptrackPeak(t *testing.T) {
	const text = "v 10400 3\ns 1 x\ns 1 a\ns 1 b\ni 10 1 2 0 0\ni 20 1 3 0 0\nt 1 0\nt 2 0\na 10 1\na 20 2\n" +
		"+ 0\n+ 1\n- 1\n+ 0\n- 0\n- 0\n+ 1\n+ 1\n- 1\n"
	p, _ := readText(t, text, Options{})
	peak := FoldProfile(p, 2)
	if peak["a"] != 0 || peak["b"] != 0x40 {
		t.Errorf("at the peak %v, want b alone with 64 bytes: a was freed before", peak)
	}
	if got := sums(p); got["temporary_objects"] != 3 || got["leaked_space"] != 0x20 {
		t.Errorf("%v", got)
	}
	_, report, err := Read(strings.NewReader("v 10400 3\n+ 5\nt 9 9\na 10 7\ns zz\nq\n"), "in.zst", Options{})
	if err != nil || report.Faulty != 5 || report.Faults[0].Line != 2 {
		t.Errorf("%v, faults %v: want each of 5 lines", err, report.Faults)
	}
}

func TestXctrace(t *testing.T) {
	p, report := readText(t, xctraceText, Options{})
	if got := sums(p); got["samples"] != 2 || got["cpu"] != 4_000_000 || report.Samples != 2 {
		t.Errorf("%v, want 2 samples of 4 ms: the third row has no stack", got)
	}
	s := p.Sample[1]
	for key, want := range map[string]string{"process": "my app", "pid": "7", "thread": "main  0x1 (my app, pid: 7)", "core": "CPU 3 (P Core)", "state": "Running"} {
		if got := s.Label[key]; len(got) != 1 || got[0] != want {
			t.Errorf("label %s is %q, want %q", key, got, want)
		}
	}
	line := s.Location[0].Line[0]
	if line.Function.Name != "app::f" || line.Line != 7 || line.Function.Filename != "/src/main.rs" || s.Location[0].Mapping.File != "/opt/my app/app" {
		t.Errorf("leaf %+v of %+v", line, line.Function)
	}
}

// TestXctraceConformance compares with inferno, which counts rows. It leaves underscores
// of Rust's mangling in names, which are right in our profile and stay in its dialect.
func TestXctraceConformance(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(conformance, "xctrace", "basic.xml"))
	if err != nil {
		t.Skipf("the conformance inputs are not beside this checkout: %v", err)
	}
	want, err := os.ReadFile(filepath.Join(conformance, "xctrace", "basic.folded"))
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	report, err := Fold(&got, bytes.NewReader(data), "basic.xml", Options{}, FoldOptions{})
	if err != nil || report.Faulty > 0 {
		t.Fatalf("%v, %v", err, report.Faults)
	}
	compareLines(t, got.String(), string(want))
}

// TestHostileDepth feeds short texts whose stacks share frames: a chain of traces of
// which each is an allocation's, and elements in elements.
func TestHostileDepth(t *testing.T) {
	var b strings.Builder
	b.WriteString("v 10400 3\ns 1 x\ni 10 1 1 0 0\n")
	const n = 6000
	for i := range n {
		fmt.Fprintf(&b, "t 1 %x\na 10 %x\n+ %x\n", i, i+1, i)
	}
	p, _ := readText(t, b.String(), Options{})
	deepest := 0
	for _, s := range p.Sample {
		deepest = max(deepest, len(s.Location))
	}
	if deepest != maxDepth || len(p.Sample) != n {
		t.Errorf("%d frames in one of %d stacks, want at most %d", deepest, len(p.Sample), maxDepth)
	}
	nested := strings.Repeat("<backtrace>", 200_000)
	if _, _, err := Read(strings.NewReader("<trace-query-result><row>"+nested), "in", Options{}); err == nil {
		t.Error("a document without an end is read without an error")
	}
}

// TestOffCPU checks what a wait costs: the time until the thread runs again, without
// that in which another one ran in its place.
func TestOffCPU(t *testing.T) {
	const text = "x 7/8 100.000000000:          1 context-switches: \n\t 1 schedule ([kernel.kallsyms])\n\t 2 wait (/x)\n\n" +
		"x 7/8 100.000001000: PERF_RECORD_SWITCH OUT        \n" +
		"x 7/9 100.000002000:          1 context-switches: \n\t 3 spin (/x)\n\n" +
		"x 7/9 100.000003000: PERF_RECORD_SWITCH OUT preempt\n" +
		"   x 7/8 100.250000000: PERF_RECORD_SWITCH IN         \n" +
		"x 7/9 100.350002000: PERF_RECORD_SWITCH IN         \n" +
		"x 7/9 100.400000000:          1 context-switches: \n\t 4 exit (/x)\n\n"
	p, report := readText(t, text, Options{OffCPU: true})
	folded := FoldProfile(p, 1)
	if folded["x;wait;schedule"] != 250_000_000 || len(folded) != 1 {
		t.Errorf("%v, want one wait of 250 ms", folded)
	}
	if want := (Waits{Blocked: 250_000_000, Preempted: 350_000_000, Open: 1}); report.Waits != want {
		t.Errorf("%+v, want %+v", report.Waits, want)
	}
	if st := p.SampleType[1]; st.Type != "off-cpu" || st.Unit != "nanoseconds" || p.DefaultSampleType != "off-cpu" {
		t.Errorf("sample type %+v, default %s", st, p.DefaultSampleType)
	}
	_, bad, err := Read(strings.NewReader(text+"x: PERF_RECORD_SWITCH IN\n"), "in.txt", Options{OffCPU: true})
	if err != nil || bad.Faulty != 1 {
		t.Errorf("%v, faults %v: want the switch of nobody", err, bad.Faults)
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"heaptrack.zst", "dhat.json"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(xctraceText))
	f.Add([]byte(scriptText))
	f.Add([]byte("a;b;; 4\na;b_[k] 1.5\n"))
	f.Add([]byte("v 10400 3\ns 1 x\ni 10 1 1 0 0\nt 1 0\na 10 1\n+ 0\n- 0\nA\n"))
	f.Add([]byte("x 7/8 1.5: 1 context-switches: \n\t 1 a (b)\n\nx 7/8 1.6: PERF_RECORD_SWITCH OUT\nx 7/8 1.7: PERF_RECORD_SWITCH IN\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, o := range []Options{{}, {OffCPU: true, Threads: true, Addresses: true}} {
			p, report, err := Read(bytes.NewReader(data), "in", o)
			if err != nil {
				if !strings.Contains(err.Error(), "in") {
					t.Fatalf("%v does not name the input", err)
				}
				continue
			}
			if report.Format == "" || len(report.Faults) > maxFaults || report.Faulty < len(report.Faults) {
				t.Fatalf("report %+v", report)
			}
			if err := p.CheckValid(); err != nil {
				t.Fatalf("%s: %v", report.Format, err)
			}
			if err := p.Write(io.Discard); err != nil {
				t.Fatal(err)
			}
			for i := range p.SampleType {
				if err := WriteFoldedProfile(io.Discard, p, i, FoldOptions{PID: true, TID: true, Kernel: true}); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkHeaptrack reads a recording of 160,000 allocations, each of which is freed, at
// 4,000 stacks, compressed as heaptrack writes it: all costs in one pass.
func BenchmarkHeaptrack(b *testing.B) {
	var text bytes.Buffer
	text.WriteString("v 10400 3\ns 9 /opt/prog\n")
	for i := range 500 {
		fmt.Fprintf(&text, "s %x function_%06d\n", len("function_000000"), i)
		fmt.Fprintf(&text, "i %x 1 %x 0 %x\n", 0x1000+16*i, i+2, i)
	}
	for i := range 4000 {
		parent := 0
		if i >= 500 {
			parent = i - 499
		}
		fmt.Fprintf(&text, "t %x %x\na %x %x\n", i%500+1, parent, 16+i%512, i+1)
	}
	for i := range 160_000 {
		fmt.Fprintf(&text, "+ %x\n", i*7%4000)
		if i >= 3 {
			fmt.Fprintf(&text, "- %x\n", (i-3)*7%4000)
		}
		if i%1000 == 0 {
			fmt.Fprintf(&text, "c %x\nR %x\n", i, i)
		}
	}
	w, err := zstd.NewWriter(nil)
	if err != nil {
		b.Fatal(err)
	}
	data := w.EncodeAll(text.Bytes(), nil)
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		p, report, err := Read(bytes.NewReader(data), "in", Options{})
		if err != nil || report.Samples != 160_000 || len(p.Sample) != 4000 {
			b.Fatalf("%v, %d allocations at %d stacks", err, report.Samples, len(p.Sample))
		}
	}
}
