package flamegraph_test

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/seanchatmangpt/clnrm-perf/perf/calltree"
	"github.com/seanchatmangpt/clnrm-perf/perf/flamegraph"
)

var example = []string{
	"main;Parse;alloc 100", "main;Parse;read 300", "main;run;Parse;read 100", "main;run;work 400", "main;run;work;twin@/lib/a 50", "main;run;work;twin@/lib/b 50",
}

func TestZoom(t *testing.T) {
	p := newTab(t)
	p.open(save(t, treeOf(t, example...), flamegraph.Options{}), "")
	check(p, "width of run", width("run"), 707)
	p.clickFrame("run")
	check(p, "width of run when zoomed to", width("run"), 1179)
	check(p, "width of main above it", width("main"), 1179)
	check(p, "main is faded", frame("main")+`.classList.contains('o')`, true)
	check(p, "address", `location.hash`, "#path=main/run")
	check(p, "status", status, "run: 60.0 %")
	check(p, "what is not below is gone", frame("alloc")+` === undefined`, true)
	p.clickFrame("work")
	check(p, "address", `location.hash`, "#path=main/run/work")
	p.run(chromedp.NavigateBack())
	check(p, "width of run after going back", width("run"), 1179)
	p.clickButton("reset")
	check(p, "width of run after reset", width("run"), 707)
	check(p, "address after reset", `location.hash`, "")
	check(p, "the button to reset rests", `document.querySelector('[data-act=reset]').disabled`, true)
	p.resize(700)
	p.until(width("main") + ` === 679`)
}

func TestSearch(t *testing.T) {
	p := newTab(t)
	p.open(save(t, treeOf(t, example...), flamegraph.Options{}), "")
	search := func(text, want string) {
		t.Helper()
		p.press("/", text)
		check(p, "status of a search for "+text, status, want)
	}
	search("PARSE", "50.0 % matched by 1 function") // nested matches count once
	check(p, "matches are marked", `document.querySelectorAll('.f.m').length`, 2)
	check(p, "the others step back", `document.querySelectorAll('.f.n').length`, 9)
	check(p, "address", `location.hash`, "#search=PARSE")
	p.clickButton("exact")
	check(p, "status with regard to case", status, "0.00 % matched by 0 functions")
	p.clickButton("exact")
	search("^(alloc|twin)$", "20.0 % matched by 3 functions")
	search("(", "0.00 % matched by 0 functions") // no regular expression: searched for as it is
	p.press(kb.Escape)
	check(p, "marks after escape", `document.querySelectorAll('.f.m').length`, 0)
	check(p, "focus after escape", focused, "all")
	search("main", "100.0 % matched by 1 function")
	p.press(kb.Enter, kb.Escape)
	check(p, "escape in the picture clears a search", `document.querySelectorAll('.f.m').length`, 0)
}

// A link finds its place in the picture of another run, in which all positions differ.
func TestPermalink(t *testing.T) {
	p := newTab(t)
	p.open(save(t, treeOf(t, example...), flamegraph.Options{}), "")
	p.clickFrame("run")
	p.clickFrame("work")
	p.click(`[...document.querySelectorAll('.f')].filter(g => g.getAttribute('aria-label').includes('/lib/b'))[0].querySelector('rect')`)
	p.press("/", "tw.n")
	link := eval[string](p, `location.hash`)
	if link != "#path=main/run/work/twin@%2Flib%2Fb&search=tw.n" {
		t.Errorf("the link is %s", link)
	}
	again := append([]string{"aaa;bbb 500", "main;before 70", "main;run;about 5"}, example...)
	p.open(save(t, treeOf(t, again...), flamegraph.Options{}), link)
	check(p, "zoomed to", `document.querySelector('[aria-selected=true]').getAttribute('aria-label').includes('/lib/b')`, true)
	check(p, "search", `document.querySelector('input').value`, "tw.n")
	check(p, "marks", `document.querySelectorAll('.f.m').length`, 1)

	p.open(save(t, treeOf(t, "main;run;other 1", "main;x 1"), flamegraph.Options{}), link)
	check(p, "zoomed to what is left of the path", `document.querySelector('[aria-selected=true]').getAttribute('aria-label').split('; ')[0]`, "run")
	check(p, "status", status, "not in this picture: work")
	p.open(save(t, treeOf(t, example...), flamegraph.Options{}), "#path=%E0%A4%A&search=%&colour=<b>&basis=x&flame=true")
	check(p, "a link that makes no sense shows all", width("main"), 1179)
	check(p, "but for what does", `document.querySelector('[data-act=flame]').getAttribute('aria-pressed')`, "true")
}

func TestKeyboard(t *testing.T) {
	p := newTab(t)
	p.open(save(t, treeOf(t, example...), flamegraph.Options{}), "")
	press := func(key, want string) {
		t.Helper()
		p.press(key)
		check(p, "focus after "+key, focused, want)
	}
	p.do(`document.querySelector('[tabindex="0"]').focus()`)
	press(kb.ArrowUp, "all")
	press(kb.ArrowDown, "main")
	press(kb.ArrowDown, "run") // the widest
	press(kb.ArrowLeft, "Parse")
	press(kb.ArrowDown, "read")
	press(kb.ArrowRight, "Parse") // the neighbour in the row, below run
	press(kb.ArrowUp, "run")
	check(p, "details of the frame in focus", `document.querySelector('.tip').textContent.includes('60.0 % of all')`, true)
	press(kb.Enter, "run")
	check(p, "width after Enter", width("run"), 1179)
	press(kb.Escape, "all")
	check(p, "width after Escape", width("run"), 707)
	press("/", "Search functions")
	press(kb.Escape, "all")
	check(p, "one frame is in the tab order", `document.querySelectorAll('.f[tabindex="0"]').length`, 1)
	p.clickButton("flame")
	p.do(`document.querySelector('.f[tabindex="0"]').focus()`)
	press(kb.ArrowUp, "main") // the arrows go where the eye does
	press(kb.ArrowDown, "all")
}

func TestRoles(t *testing.T) {
	p := newTab(t)
	p.open(save(t, treeOf(t, example...), flamegraph.Options{Title: "A title"}), "")
	check(p, "name", `document.querySelector('title').textContent`, "A title")
	check(p, "tree", `document.querySelectorAll('[role=tree][aria-label]').length`, 1)
	check(p, "items", `document.querySelectorAll('[role=tree] > [role=treeitem][aria-level][aria-label]').length`, 11)
	check(p, "label", frame("alloc")+`.getAttribute('aria-label')`, "alloc; 100 ns, 10.0 % of all; its own: 100 ns, 10.0 %")
	check(p, "level", frame("alloc")+`.getAttribute('aria-level')`, "4")
	check(p, "what changes is announced", `document.querySelectorAll('[role=status][aria-live=polite]').length`, 1)
	check(p, "buttons say what they do", `[...document.querySelectorAll('button')].every(b => b.title && b.textContent)`, true)
}

func TestHover(t *testing.T) {
	p := newTab(t)
	tree := treeOf(t, append([]string{"main;github.com/docker/docker/client.(*Client).ContainerStart 1000"}, example...)...)
	p.open(save(t, tree, flamegraph.Options{Classes: tree.Classify(nil)}), "")
	at := eval[struct{ X, Y float64 }](p, `(r => ({X: r.x + 20, Y: r.y + 5}))(`+frame("github.com/docker/docker/client.(*Client).ContainerStart")+`.getBoundingClientRect())`)
	p.run(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at.X, at.Y))
	want := "github.com/docker/docker/client.(*Client).ContainerStart|1 µs, 50.0 % of all|its own: 1 µs, 50.0 %|Docker operations: container start"
	check(p, "details", `[...document.querySelectorAll('.tip div div')].map(d => d.textContent).join('|')`, want)
	check(p, "they are inside of the window", `(r => r.left >= 0 && r.right <= innerWidth && r.height > 60)(document.querySelector('.tip').getBoundingClientRect())`, true)
	p.run(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, 600, 790))
	check(p, "details when the pointer has left", `document.querySelector('.tip').style.display`, "none")
}

// What is drawn is the tree that was given, and turned round the tree of callers: compared
// frame by frame with what calltree says.
func TestViewerAgreesWithTheTree(t *testing.T) {
	tree := treeOf(t, program(400, 3)...)
	p := newTab(t)
	p.resize(30000) // wide enough for all to be drawn
	drawn := `[...document.querySelectorAll('.f')].map(g => g.getAttribute('aria-level') + ' ' + g.getAttribute('aria-label').split('; ').slice(0, 3).map(l => l.replace(/, [0-9.]+ % of all$/, '')).join(' ').replace(/ its own: .*/, ''))`
	for name, opt := range map[string]flamegraph.Options{"callees": {}, "callers": {Inverted: true}} {
		p.open(save(t, tree, opt), "")
		got := eval[[]string](p, drawn)
		shown := tree
		if opt.Inverted {
			shown = tree.Invert()
		}
		var want []string
		for i, n := range shown.Nodes {
			in := ""
			if n.Frame >= 0 {
				in = " in " + shown.Frames[n.Frame].Module
			}
			want = append(want, fmt.Sprintf("%d %s%s %s", n.Depth+1, shown.Name(int32(i)), in, amount(n.Cum)))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d frames are drawn, of %d; the first are\n%s\nwant\n%s", name, len(got), len(want),
				strings.Join(got[:min(5, len(got))], "\n"), strings.Join(want[:5], "\n"))
		}
	}
}

// The viewer shortens labels as the static picture does, and gives the same colours.
func TestViewerAgreesWithTheStaticPicture(t *testing.T) {
	p := newTab(t)
	type drawn struct {
		Name, Text string
		Width      float64
	}
	tree := treeOf(t, append(program(300, 5), "main@/usr/bin/program;<T as core::fmt::Debug>::fmt 90000000", "main@/usr/bin/program;f.isra.0 50000000", "main@/usr/bin/program;日本語の関数 30000000")...)
	p.open(save(t, tree, flamegraph.Options{}), "")
	char := eval[float64](p, `(() => { const e = document.createElementNS('http://www.w3.org/2000/svg', 'text'); e.textContent = 'x'.repeat(100); document.documentElement.appendChild(e); const w = e.getComputedTextLength() / 100; e.remove(); return w; })()`)
	labels := 0
	for _, d := range eval[[]drawn](p, `[...document.querySelectorAll('.f')].map(g => ({Name: g.getAttribute('aria-label').split('; ')[0], Text: (g.querySelector('text') || {textContent: ''}).textContent, Width: +g.querySelector('rect').getAttribute('width')}))`) {
		width := d.Width
		if width > 2.4 { // the viewer leaves a gap to the next frame
			width += 0.6
		}
		if math.Abs(math.Mod((width-6)/char+0.5, 1)-0.5) < 0.01 {
			continue // so close to one more character that the gap, or rounding, decides
		}
		if want := flamegraph.Fit(d.Name, int((width-6)/char)); want != d.Text && d.Name != "all" {
			t.Errorf("the label of %s in %.1f pixels is %q, in the static picture it would be %q", d.Name, width, d.Text, want)
		}
		if d.Text != "" {
			labels++
		}
	}
	if labels < 30 {
		t.Errorf("only %d labels are drawn", labels)
	}

	small := treeOf(t, append([]string{"main;encoding/json.Marshal;runtime.mallocgc 700", "main;__x64_sys_read@[kernel.kallsyms];x@[kernel.kallsyms] 200"}, example...)...)
	d, err := calltree.Diff(small, treeOf(t, example...), calltree.DiffOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var diff bytes.Buffer
	if err := flamegraph.WriteDiff(&diff, d, flamegraph.Options{}); err != nil {
		t.Fatal(err)
	}
	classes := small.Classify(nil)
	for name, svg := range map[string][]byte{
		"name": draw(t, small, flamegraph.Options{}), "share": draw(t, small, flamegraph.Options{Colour: flamegraph.ByShare}),
		"class": draw(t, small, flamegraph.Options{Colour: flamegraph.ByClass, Classes: classes}), "diff": diff.Bytes(),
		"callers by class": draw(t, small, flamegraph.Options{Inverted: true, Colour: flamegraph.ByClass, Classes: classes}),
		"callers by share": draw(t, small, flamegraph.Options{Inverted: true, Colour: flamegraph.ByShare}),
	} {
		want := map[string]int{}
		for _, m := range regexp.MustCompile(`<path class="(\w+)" d="([^"]*)"`).FindAllSubmatch(svg, -1) {
			want[string(m[1])] = bytes.Count(m[2], []byte("M"))
		}
		p.open(saveBytes(t, svg), "")
		got := map[string]int{}
		for _, class := range eval[[]string](p, `[...document.querySelectorAll('.f')].map(g => g.getAttribute('class').slice(2))`) {
			got[class]++
		}
		if !maps.Equal(got, want) {
			t.Errorf("colours by %s: the viewer has %v, the static picture %v", name, got, want)
		}
	}
}

// amount writes nanoseconds as the viewer does.
func amount(ns int64) string {
	switch {
	case ns >= 1e9:
		return fmt.Sprintf("%.3g s", float64(ns)/1e9)
	default:
		return fmt.Sprintf("%.3g ms", float64(ns)/1e6)
	}
}

func TestDifferenceInTheBrowser(t *testing.T) {
	before := treeOf(t, "main;parent;a 10", "main;parent;b 10", "main;rest 60", "main;gone 20")
	after := treeOf(t, "main;parent;a 60", "main;parent;b 60", "main;rest 60", "main;fresh 20")
	d, err := calltree.Diff(before, after, calltree.DiffOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := flamegraph.WriteDiff(&b, d, flamegraph.Options{}); err != nil {
		t.Fatal(err)
	}
	p := newTab(t)
	p.open(saveBytes(t, b.Bytes()), "")
	shade := func(label string) string { return frame(label) + `.getAttribute('class')` }
	check(p, "what has not changed", shade("main"), "f z")
	check(p, "the parent of what has grown", shade("parent"), "f u4")
	check(p, "what is new", shade("fresh"), "f u2")
	check(p, "what has vanished", shade("gone"), "f d3")
	check(p, "its width", width("gone"), 117)
	check(p, "details", frame("gone")+`.getAttribute('aria-label')`, "gone; before 20.0 %, after 0.00 %: \u221220.0 %; before 20 ns, after 0 ns; these stacks have vanished")
	check(p, "the delta of the parent", frame("parent")+`.getAttribute('aria-label').split('; ')[1]`, "before 20.0 %, after 60.0 %: +40.0 %")
	p.clickButton("basis")
	check(p, "what has vanished has no width after", frame("gone")+` === undefined`, true)
	check(p, "width of the parent after", width("parent"), 707)
	p.clickButton("basis")
	check(p, "width of the parent before", width("parent"), 235)
	check(p, "what is new has no width before", frame("fresh")+` === undefined`, true)
	check(p, "address", `location.hash`, "#basis=old")
	p.clickButton("inverted")
	check(p, "callers of what shrank", shade("rest"), "f d4")
}

// contrast is the least contrast (WCAG 2) of a label with its frame.
const contrast = `(() => {
  const light = c => { const v = c.match(/[\d.]+/g).slice(0, 3).map(x => x / 255).map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4); return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
  let least = 99;
  for (const g of document.querySelectorAll('.f')) {
    const a = light(getComputedStyle(g.querySelector('rect')).fill), t = g.querySelector('text');
    if (!t) continue;
    const b = light(getComputedStyle(t).fill);
    least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
  }
  return least;
})()`

// In both modes, and whatever colours mean, labels can be read: 4.5 is the least contrast
// that the Web Content Accessibility Guidelines ask for.
func TestDarkMode(t *testing.T) {
	tree := treeOf(t, program(1500, 4)...)
	path := save(t, tree, flamegraph.Options{Classes: tree.Classify(nil)})
	p := newTab(t)
	grounds := map[string]string{}
	for _, mode := range []string{"light", "dark"} {
		p.prefer(mode)
		for _, colour := range []string{"name", "class", "share"} {
			p.open(path, "#search=json&colour="+colour)
			if got := eval[float64](p, contrast); got < 4.5 || got > 21 {
				t.Errorf("%s mode, colours by %s: a label has a contrast of %.2f", mode, colour, got)
			}
			p.shoot(mode + "-" + colour)
		}
		grounds[mode] = eval[string](p, `getComputedStyle(document.querySelector('.bg')).fill`)
	}
	if grounds["light"] != "rgb(255, 255, 255)" || grounds["dark"] != "rgb(23, 24, 26)" {
		t.Errorf("the grounds are %v", grounds)
	}
}

var hostile = []string{
	`</script><script>window.owned=1</script>`, `]]><script xmlns="http://www.w3.org/2000/svg">window.owned=1</script>`,
	`"><img src=x onerror="window.owned=1">`, `'onload='window.owned=1`, `<svg onload=window.owned=1>`, `${window.owned=1}`, "`;window.owned=1;`",
	`\u003cscript>`, `\";window.owned=1;//`, `&lt;script&gt;`, `<!--`, `--><!DOCTYPE x [<!ENTITY e "x">]>&e;`, `__proto__`, `constructor`, `javascript:window.owned=1`,
	"a\x00b\x1bc\x7f", "bad\xff\xfeutf8", "line\nbreak\u2028end", "\u202etxt.exe", "\ufffe\uffff", "emoji😀name", "日本語の関数", "a/b@c#d&e=f%25", " ",
}

// Names come from binaries, and those from anywhere.
func TestHostileNames(t *testing.T) {
	var lines []string
	for i, name := range hostile {
		lines = append(lines, fmt.Sprintf("main;%s;leaf 10", strings.ReplaceAll(name, ";", ":")), fmt.Sprintf("x@/lib/%d%s 1", i, strings.ReplaceAll(name, ";", ":")))
	}
	tree := treeOf(t, lines...)
	opt := flamegraph.Options{Title: hostile[0] + hostile[1] + hostile[2], Subtitle: hostile[2] + hostile[16], Classes: tree.Classify(nil)}
	var b bytes.Buffer
	if err := flamegraph.Write(&b, tree, opt); err != nil {
		t.Fatal(err)
	}
	p := newTab(t)
	svg := saveBytes(t, b.Bytes())
	// By itself, and within a page of HTML, whose parser has other rules.
	_, inner, _ := bytes.Cut(b.Bytes(), []byte("?>"))
	page := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(page, append([]byte("<!doctype html><meta charset=utf-8><link rel=icon href=data:,><body style=margin:0>"), inner...), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{svg, page} {
		p.open(path, "")
		check(p, "what a name has run", `typeof window.owned`, "undefined")
		check(p, "scripts", `document.scripts ? [...document.querySelectorAll('script')].length : 0`, 2)
		check(p, "elements of names", `document.querySelectorAll('img, a, iframe, [onload], [onerror]').length`, 0)
		for _, name := range []string{hostile[0], hostile[2], strings.ReplaceAll(hostile[8], ";", ":"), hostile[12], hostile[20], hostile[21], hostile[22]} {
			check(p, "the frame of "+name, frame(name)+` !== undefined`, true)
			p.do(frame(name) + `.dispatchEvent(new MouseEvent('click', {bubbles: true}))`)
			link := eval[string](p, `location.hash`)
			p.do(`document.querySelector('[data-act=reset]').click()`)
			p.do(fmt.Sprintf(`location.hash = %q`, link))
			p.until(`document.querySelector('[aria-selected=true][aria-level="3"]') !== null`)
			check(p, "the link of "+name, `document.querySelector('[aria-selected=true]').getAttribute('aria-label').split('; ')[0]`, name)
			p.do(`document.querySelector('[data-act=reset]').click()`)
		}
		p.do(`location.hash = '#search=' + encodeURIComponent('<img src=x onerror=window.owned=1>') + '&path=<script>window.owned=1</script>'`)
		p.until(`document.querySelector('.status').textContent.startsWith('not in')`)
		check(p, "what a link has run", `typeof window.owned`, "undefined")
	}
}

// An <img> runs no script: the static picture is what a README shows.
func TestWithoutScript(t *testing.T) {
	tree := treeOf(t, example...)
	for name, opt := range map[string]flamegraph.Options{"icicle": {Title: "Static"}, "flame": {Layout: flamegraph.Flame, Colour: flamegraph.ByShare}} {
		page := filepath.Join(t.TempDir(), "page.html")
		svg := save(t, tree, opt)
		raw, err := os.ReadFile(svg)
		if err != nil {
			t.Fatal(err)
		}
		data := "data:image/svg+xml," + url.PathEscape(string(raw))
		html := `<!doctype html><link rel=icon href=data:,><body style="margin:0"><img width=1200 src="` + data + `">`
		if err := os.WriteFile(page, []byte(html), 0o644); err != nil {
			t.Fatal(err)
		}
		p := newTab(t)
		p.mu.Lock()
		p.own = data
		p.mu.Unlock()
		p.run(chromedp.Navigate("file://" + page))
		p.mu.Lock()
		p.bad = slices.DeleteFunc(p.bad, func(s string) bool { return strings.HasPrefix(s, "loaded file://"+page) })
		p.mu.Unlock()
		p.shoot("img-" + name)
		// The picture is drawn on a canvas, which can be asked for the colour of a place.
		at := func(x, y int) []int {
			return eval[[]int](p, fmt.Sprintf(`(() => { const c = document.createElement('canvas'); c.width = 1200; c.height = 800; const g = c.getContext('2d'); g.drawImage(document.images[0], 0, 0); return [...g.getImageData(%d, %d, 1, 1).data]; })()`, x, y))
		}
		root, leaf := 100+9, 100+3*18+9
		if opt.Layout == flamegraph.Flame {
			root, leaf = 100+4*18+9, 100+18+9
		}
		if got := at(800, root); slices.Equal(got, []int{255, 255, 255, 255}) || got[3] != 255 {
			t.Errorf("%s: where the root should be is the colour %v", name, got)
		}
		if got := at(300, leaf); slices.Equal(got, []int{255, 255, 255, 255}) {
			t.Errorf("%s: where a leaf should be is the ground", name)
		}
		if got := at(1195, root); !slices.Equal(got, []int{255, 255, 255, 255}) {
			t.Errorf("%s: beside the picture is the colour %v", name, got)
		}
	}
}
