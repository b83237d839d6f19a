package profileio

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/klauspost/compress/zstd"
)

// The readers by themselves: behind the recognition of the format, a fuzzer that changes
// one byte of the head would only ever find that nobody knows the format.

// fuzzReader fuzzes one reader. What it takes for a profile has to be a valid one that can
// be written and folded, in every sample type.
func fuzzReader(f *testing.F, format Format) {
	f.Helper()
	f.Fuzz(func(t *testing.T, data []byte) {
		p, report, err := readAs(format, bytes.NewReader(data), "in", Options{Threads: true, Addresses: true})
		if len(report.Faults) > maxFaults || report.Faulty < len(report.Faults) {
			t.Fatalf("report %+v", report)
		}
		if err != nil {
			if p != nil {
				t.Fatalf("a profile comes with the error %v", err)
			}
			return
		}
		checkUsable(t, p)
	})
}

// checkUsable does with a profile what every command does.
func checkUsable(t *testing.T, p *profile.Profile) {
	t.Helper()
	if err := p.CheckValid(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := p.Write(&out); err != nil {
		t.Fatal(err)
	}
	if _, err := profile.ParseData(out.Bytes()); err != nil {
		t.Fatalf("what was written cannot be read: %v", err)
	}
	for i := range p.SampleType {
		if err := WriteFoldedProfile(io.Discard, p, i, FoldOptions{PID: true, TID: true, Kernel: true}); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzFolded(f *testing.F) {
	f.Add([]byte("a;b;; 4\na;b_[k] 1.5\n# comment\na 9e18\n"))
	f.Add([]byte("a; b ;c -3\r\n;; 1\n\xff;x 2\n_[k] 1\na\t7\n"))
	fuzzReader(f, Folded)
}

func FuzzHeaptrack(f *testing.F) {
	f.Add([]byte("v 10400 3\ns 1 x\ni 10 1 1 0 0\nt 1 0\na 10 1\n+ 0\n- 0\nA\n"))
	f.Add([]byte("v 10400 2\ns /bin/x\ns main\ni 401000 1 2 1 5 2 1 6\nt 1 0\nt 1 1\na ffff 2\n+ 0\n+ 0\n- 0\nc 1\nR 2\n"))
	f.Add([]byte("v 1 3\na 1000000000000 0\n+ 0\n+ 0\n- 0\n- 0\n- 0\n"))
	fuzzReader(f, Heaptrack)
}

func FuzzDHAT(f *testing.F) {
	data, err := os.ReadFile(filepath.Join("testdata", "dhat.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"dhatFileVersion":2,"mode":"heap","x":[{}],"pps":[{"tb":5,"tbk":1,"gb":5,"eb":-1,"fs":[1,0]},{"fs":null}],"ftbl":["[root]","0x10: f (a (b).c:3)"]}`))
	fuzzReader(f, DHAT)
}

func FuzzXctrace(f *testing.F) {
	f.Add([]byte(xctraceText))
	f.Add([]byte(`<trace-query-result><row><weight id="1">5</weight><tagged-backtrace id="2"><backtrace id="3"><frame id="4" name="f" addr="0x1"><binary id="5" path="/x"/></frame></backtrace></tagged-backtrace></row><row><cycle-weight ref="1"/><backtrace ref="2"/></row></trace-query-result>`))
	fuzzReader(f, Xctrace)
}

func FuzzPprof(f *testing.F) {
	for _, name := range []string{"a", ""} {
		p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}}}
		p.Function = []*profile.Function{{ID: 1, Name: name}}
		p.Location = []*profile.Location{{ID: 1, Address: 5, Line: []profile.Line{{Function: p.Function[0], Line: 1}}}}
		p.Sample = []*profile.Sample{{Location: p.Location, Value: []int64{3}, Label: map[string][]string{"comm": {"x"}}}}
		var out bytes.Buffer
		if err := p.WriteUncompressed(&out); err != nil {
			f.Fatal(err)
		}
		f.Add(out.Bytes())
	}
	fuzzReader(f, Pprof)
}

// FuzzCompressed fuzzes what takes the compression off.
func FuzzCompressed(f *testing.F) {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		f.Fatal(err)
	}
	once := w.EncodeAll([]byte("a;b 4\n"), nil)
	f.Add(once)
	f.Add(w.EncodeAll(w.EncodeAll(w.EncodeAll(w.EncodeAll(once, nil), nil), nil), nil))
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, _, err := Read(bytes.NewReader(data), "in", Options{}); err == nil {
			checkUsable(t, p)
		}
	})
}
