package flamegraph_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/pprof/profile"

	"github.com/seanchatmangpt/clnrm-perf/perf/calltree"
	"github.com/seanchatmangpt/clnrm-perf/perf/flamegraph"
)

func draw(t testing.TB, tree *calltree.Tree, opt flamegraph.Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := flamegraph.Write(&b, tree, opt); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// document is what a parser of XML finds in a picture.
type document struct {
	elements map[string]int // by local name
	attrs    []xml.Attr
	texts    []string // of the elements text, in order
	data     []byte   // of the script that is none
}

func parse(t testing.TB, svg []byte) document {
	t.Helper()
	d := document{elements: map[string]int{}}
	dec := xml.NewDecoder(bytes.NewReader(svg))
	var in xml.StartElement
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return d
		}
		if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			in = token.Copy()
			d.elements[in.Name.Local]++
			d.attrs = append(d.attrs, in.Attr...)
		case xml.CharData:
			switch {
			case in.Name.Local == "text":
				d.texts = append(d.texts, string(token))
			case in.Name.Local == "script" && len(in.Attr) > 0:
				d.data = append(d.data, token...)
			}
		case xml.EndElement:
			in = xml.StartElement{}
		}
	}
}

// names reads the names out of the data as the viewer does.
func (d document) names(t testing.TB) []string {
	t.Helper()
	var data struct{ Names []any }
	if err := json.Unmarshal(d.data, &data); err != nil {
		t.Fatalf("the data is no JSON: %v", err)
	}
	var names []string
	var before []uint16
	for i := 0; i < len(data.Names); i += 2 {
		name := slices.Concat(before[:int(data.Names[i].(float64))], utf16.Encode([]rune(data.Names[i+1].(string))))
		names = append(names, string(utf16.Decode(name)))
		before = name
	}
	return names
}

func TestOneFileForItself(t *testing.T) {
	tree := treeOf(t, program(500, 1)...)
	d := parse(t, draw(t, tree, flamegraph.Options{Classes: tree.Classify(nil)}))
	for _, a := range d.attrs {
		if a.Name.Local == "href" || a.Name.Local == "src" || strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Value, "url(") {
			t.Errorf("the picture has an attribute %s=%q", a.Name.Local, a.Value)
		}
	}
	if d.elements["script"] != 2 || d.elements["svg"] != 1 {
		t.Errorf("elements are %v", d.elements)
	}
}

// The static picture needs no script: colours, boxes and labels are there.
func TestStaticPicture(t *testing.T) {
	d := parse(t, draw(t, treeOf(t, example...), flamegraph.Options{Title: "A title", Subtitle: "and more"}))
	want := "A title|and more|The widest frames of 1 µs of cpu. Open the file itself in a browser to zoom and to search.|all|main|Parse|alloc|read|run|Parse|read|work|twin|twin"
	if got := strings.Join(d.texts, "|"); got != want {
		t.Errorf("texts are\n%s\nwant\n%s", got, want)
	}
	// However many frames there are, it shows the widest, with all their callers.
	var lines []string
	for i := range 1000 {
		lines = append(lines, "main;same"+strconv.Itoa(i)+" 10")
	}
	if got := bytes.Count(draw(t, treeOf(t, lines...), flamegraph.Options{}), []byte("v17h-")); got != 250 {
		t.Errorf("the static picture of 1,000 equal frames has %d boxes, want 250", got)
	}
	// What is too narrow to be drawn does not make it higher, however deep it is.
	deep := draw(t, treeOf(t, "main;work 10000", "main"+strings.Repeat(";deeper", 100)+" 1"), flamegraph.Options{})
	if want := fmt.Sprintf(`viewBox="0 0 1200 %d"`, 100+3*18+10); !bytes.Contains(deep, []byte(want)) {
		t.Errorf("three rows are drawn, and the picture begins with %.200q, want %s", deep, want)
	}
	tower := draw(t, treeOf(t, "main;work 10000", "main"+strings.Repeat(";deeper", 100)+" 50"), flamegraph.Options{})
	if want := fmt.Sprintf(`viewBox="0 0 1200 %d"`, 100+4*18+10); !bytes.Contains(tower, []byte(want)) {
		t.Errorf("with a narrow tower the picture begins with %.200q, want %s", tower, want)
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		name string
		room int
		want string
	}{
		{"main", 4, "main"},
		{"main", 3, "ma…"},
		{"main", 2, ""},
		{"github.com/docker/docker/client.(*Client).ContainerStart", 60, "github.com/docker/docker/client.(*Client).ContainerStart"},
		{"github.com/docker/docker/client.(*Client).ContainerStart", 40, "client.(*Client).ContainerStart"},
		{"github.com/docker/docker/client.(*Client).ContainerStart", 25, "(*Client).ContainerStart"},
		{"github.com/docker/docker/client.(*Client).ContainerStart", 14, "ContainerStart"},
		{"github.com/docker/docker/client.(*Client).ContainerStart", 8, "Contain…"},
		{"slices.SortFunc[go.shape.[]int32,go.shape.int32]", 20, "SortFunc[go.shape.[…"},
		{"tokio::runtime::scheduler::multi_thread::worker::Context::run", 20, "Context::run"},
		{"tokio::runtime::scheduler::multi_thread::worker::Context::run", 5, "run"},
		{"<tokio::sync::mpsc::Rx<T> as core::future::Future>::poll", 20, "poll"},
		{"std::function<void (int)>::operator()", 20, "function<void (int)…"},
		{"finish_task_switch.isra.0", 20, "finish_task_switch"},
		{"__libc_start_main@@GLIBC_2.34", 20, "__libc_start_main"},
		{"[libc.so.6]", 8, "[libc.s…"},
		{"日本語の関数", 12, "日本語の関数"},
		{"日本語の関数", 7, "日本語…"},
		{"関数", 3, ""},
		{"..a", 2, ""},
		{"a.", 3, "a."},
	} {
		if got := flamegraph.Fit(c.name, c.room); got != c.want {
			t.Errorf("%q in %d places is %q, want %q", c.name, c.room, got, c.want)
		}
	}
}

func TestSameTreeSamePicture(t *testing.T) {
	lines := program(300, 2)
	a := draw(t, treeOf(t, lines...), flamegraph.Options{})
	for i := range lines[:len(lines)/2] {
		lines[i], lines[len(lines)-1-i] = lines[len(lines)-1-i], lines[i]
	}
	if !bytes.Equal(a, draw(t, treeOf(t, lines...), flamegraph.Options{})) {
		t.Error("samples in another order make another picture")
	}
	// An inverted tree is drawn as the one it was made of, seen from its callers.
	tree := treeOf(t, lines...)
	if !bytes.Equal(draw(t, tree.Invert(), flamegraph.Options{}), draw(t, tree, flamegraph.Options{Inverted: true})) {
		t.Error("an inverted tree makes another picture than the option does")
	}
}

// A picture costs at most 60 bytes a frame beyond the unique names and a fixed part, and
// one of 4,000 frames has at most 250 KB with everything.
func TestSize(t *testing.T) {
	const fixed = 32 << 10
	for _, frames := range []int{10, 1000, 4000, 20000} {
		for seed := range uint64(3) {
			tree := treeOf(t, program(frames, seed)...)
			names := 0
			for _, f := range tree.Frames {
				names += len(f.Name)
			}
			size := len(draw(t, tree, flamegraph.Options{Classes: tree.Classify(nil)}))
			if least := fixed + names + 60*len(tree.Nodes); size > least {
				t.Errorf("%d frames with %d bytes of names take %d bytes, more than %d", len(tree.Nodes), names, size, least)
			}
			if frames == 4000 && size > 250_000 {
				t.Errorf("%d frames take %d bytes", len(tree.Nodes), size)
			}
			if frames == 4000 && seed == 0 {
				t.Logf("%d frames, %d names of %d bytes: %d bytes", len(tree.Nodes), len(tree.Frames), names, size)
			}
		}
	}
	var empty bytes.Buffer
	if err := flamegraph.Write(&empty, treeOf(t, "a 1"), flamegraph.Options{}); err != nil || empty.Len() > fixed {
		t.Errorf("the fixed part has %d bytes, %v", empty.Len(), err)
	}
}

func TestHostileNamesInTheFile(t *testing.T) {
	var lines []string
	for _, name := range hostile {
		lines = append(lines, "main;"+strings.ReplaceAll(name, ";", ":")+" 10")
	}
	svg := draw(t, treeOf(t, lines...), flamegraph.Options{Title: hostile[0] + "\x00", Subtitle: hostile[1]})
	d := parse(t, svg)
	if d.elements["script"] != 2 || d.elements["img"] != 0 {
		t.Errorf("elements are %v", d.elements)
	}
	if got := len(d.names(t)); got != len(hostile)+1 {
		t.Errorf("%d names are in the data, want %d", got, len(hostile)+1)
	}
	for _, never := range []string{"<script>window", "]]>window", "<img", "\u202e", "\x00", "\x1b"} {
		if bytes.Contains(svg, []byte(never)) {
			t.Errorf("the file has %q in it", never)
		}
	}
	if got := bytes.Count(svg, []byte("]]>")); got != 1 {
		t.Errorf("]]> is in the file %d times; it ends one script", got)
	}
}

// FuzzNames: whatever a function is called, the picture is XML, its data is JSON, and the
// names can be read from it again.
func FuzzNames(f *testing.F) {
	for i, name := range hostile {
		f.Add(name, hostile[(i+1)%len(hostile)])
	}
	f.Add("prefix", "prefix😀")
	f.Add("😀a", "😁a")
	f.Fuzz(func(t *testing.T, a, b string) {
		p := stacks([]string{"main;a;b 1"})
		p.Function[1].Name, p.Function[2].Name = a, b
		tree, err := calltree.FromProfile(p, 0)
		if err != nil {
			t.Fatal(err)
		}
		d := parse(t, draw(t, tree, flamegraph.Options{Title: a, Subtitle: b, Classes: tree.Classify(nil)}))
		names := d.names(t)
		if d.elements["script"] != 2 || len(names) != len(tree.Frames) {
			t.Fatalf("elements are %v, names %q", d.elements, names)
		}
		plain := func(s string) bool {
			return strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e && r < 0xa0 || r > 0x2000 }) < 0
		}
		for i, f := range tree.Frames {
			if plain(f.Name) && names[i] != f.Name {
				t.Errorf("the name %q is read as %q", f.Name, names[i])
			}
		}
	})
}

func TestNothingToDraw(t *testing.T) {
	tree := treeOf(t, "main 1")
	var b bytes.Buffer
	for name, err := range map[string]error{
		"no tree":               flamegraph.Write(&b, nil, flamegraph.Options{}),
		"an empty tree":         flamegraph.Write(&b, &calltree.Tree{}, flamegraph.Options{}),
		"a tree without frames": flamegraph.Write(&b, &calltree.Tree{Nodes: make([]calltree.Node, 1)}, flamegraph.Options{}),
		"no difference":         flamegraph.WriteDiff(&b, nil, flamegraph.Options{}),
		"an empty difference":   flamegraph.WriteDiff(&b, &calltree.Difference{}, flamegraph.Options{}),
	} {
		if !errors.Is(err, flamegraph.ErrEmpty) || b.Len() > 0 {
			t.Errorf("%s: the error is %v, %d bytes are written", name, err, b.Len())
		}
	}
	other := treeOf(t, "main;x 1").Classify(nil)
	d, err := calltree.Diff(tree, tree, calltree.DiffOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"classes that are not there":    flamegraph.Write(&b, tree, flamegraph.Options{Colour: flamegraph.ByClass}),
		"the classes of another tree":   flamegraph.Write(&b, tree, flamegraph.Options{Classes: other}),
		"a difference and classes":      flamegraph.WriteDiff(&b, d, flamegraph.Options{Classes: other}),
		"a difference drawn by classes": flamegraph.WriteDiff(&b, d, flamegraph.Options{Colour: flamegraph.ByClass}),
	} {
		if err == nil || b.Len() > 0 {
			t.Errorf("%s: the error is %v, %d bytes are written", name, err, b.Len())
		}
	}
	if err := flamegraph.Write(fullDisk{}, tree, flamegraph.Options{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the error of a full disk is %v", err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, os.ErrClosed }

// BenchmarkWrite draws 4,000 frames: the floor is 5 ms. From a profile it builds the tree
// too, which is what peers do when they draw folded stacks; they run beside it where they
// are installed.
func BenchmarkWrite(b *testing.B) {
	lines := program(4000, 1)
	p := stacks(lines)
	tree := treeOf(b, lines...)
	size := len(draw(b, tree, flamegraph.Options{}))
	report := func(b *testing.B) {
		b.ReportMetric(float64(len(tree.Nodes)), "frames")
		b.ReportMetric(float64(size)/float64(len(tree.Nodes)), "B/frame")
	}
	b.Run("tree", func(b *testing.B) {
		for b.Loop() {
			if err := flamegraph.Write(io.Discard, tree, flamegraph.Options{}); err != nil {
				b.Fatal(err)
			}
		}
		report(b)
	})
	b.Run("tree-with-classes", func(b *testing.B) {
		for b.Loop() {
			if err := flamegraph.Write(io.Discard, tree, flamegraph.Options{Classes: tree.Classify(nil)}); err != nil {
				b.Fatal(err)
			}
		}
		report(b)
	})
	b.Run("profile", func(b *testing.B) {
		for b.Loop() {
			tree, err := calltree.FromProfile(p, 0)
			if err != nil {
				b.Fatal(err)
			}
			if err := flamegraph.Write(io.Discard, tree, flamegraph.Options{}); err != nil {
				b.Fatal(err)
			}
		}
		report(b)
	})
	folded := filepath.Join(b.TempDir(), "stacks.folded")
	if err := os.WriteFile(folded, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	for _, peer := range []string{"inferno-flamegraph", "flamegraph.pl"} {
		b.Run(peer, func(b *testing.B) {
			path, err := exec.LookPath(peer)
			if err != nil {
				b.Skipf("the peer is not installed: %v", err)
			}
			for b.Loop() {
				if err := exec.CommandContext(b.Context(), path, folded).Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestIdleIsShown: what hot path and shares leave out has its place in the picture, and its
// part of the legend.
func TestIdleIsShown(t *testing.T) {
	fn := func(id uint64, name string) *profile.Location {
		return &profile.Location{ID: id, Line: []profile.Line{{Function: &profile.Function{ID: id, Name: name}}}}
	}
	idle, busy := fn(1, "runtime.stopm"), fn(2, "main.wait")
	tree, err := calltree.FromProfile(&profile.Profile{
		SampleType: []*profile.ValueType{{Type: "off-cpu", Unit: "nanoseconds"}},
		Function:   []*profile.Function{idle.Line[0].Function, busy.Line[0].Function}, Location: []*profile.Location{idle, busy},
		Sample: []*profile.Sample{{Location: []*profile.Location{idle}, Value: []int64{3}}, {Location: []*profile.Location{busy}, Value: []int64{1}}},
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := flamegraph.Write(&out, tree, flamegraph.Options{Classes: tree.Classify(nil)}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`["Idle: Go runtime",0.75000]`, `["Compute",0.25000]`, "runtime.stopm"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in the picture", want)
		}
	}
}
