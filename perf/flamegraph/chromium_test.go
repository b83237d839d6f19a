package flamegraph_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/seanchatmangpt/clnrm-perf/perf/calltree"
	"github.com/seanchatmangpt/clnrm-perf/perf/flamegraph"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// browser is one headless Chromium for all tests of the package; each has a tab of its own.
var browser struct {
	sync.Once
	ctx  context.Context
	stop func()
}

func TestMain(m *testing.M) {
	code := m.Run()
	if browser.stop != nil {
		browser.stop()
	}
	os.Exit(code)
}

// tab is a page of the browser. What changes after it was opened must be less than some
// 2,000 frames: chromedp follows the page's tree, holds 4,096 changes of it, and stands
// still when there are more.
//
// A tab notes what a picture must not do: throw, log, or ask
// the network for anything.
type tab struct {
	testing.TB
	ctx context.Context
	mu  sync.Mutex
	bad []string
	own string // the address that it may load
}

func newTab(t testing.TB) *tab {
	t.Helper()
	path := testenv.Tool(t, "chromium")
	browser.Do(func() {
		flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
			chromedp.WindowSize(1200, 800), chromedp.Flag("hide-scrollbars", true))
		alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), flags...)
		ctx, stop := chromedp.NewContext(alloc)
		browser.ctx = ctx
		browser.stop = func() {
			// To close is to wait until the browser has ended; one that hangs is killed.
			ended := make(chan struct{})
			go func() { defer close(ended); _ = chromedp.Cancel(ctx) }()
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				if b := chromedp.FromContext(ctx).Browser; b != nil && b.Process() != nil {
					_ = b.Process().Kill()
				}
			}
			stop()
			stopAlloc()
		}
		if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
			browser.ctx = nil
			t.Errorf("starting chromium: %v", err)
		}
	})
	if browser.ctx == nil {
		t.Fatal("chromium does not start: see the first test that needed it")
	}
	ctx, cancel := chromedp.NewContext(browser.ctx)
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	p := &tab{TB: t, ctx: ctx}
	t.Cleanup(func() {
		stop()
		cancel()
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.bad) > 0 {
			t.Errorf("the picture did what it must not:\n%s", strings.Join(p.bad, "\n"))
		}
	})
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatal(err)
	}
	command(p, network.Enable, network.EnableParams{})
	p.resize(1200)
	return p
}

func command[P, R any](p *tab, c cdp.Command[P, R], params P) {
	p.Helper()
	if _, err := chromedp.Call(p.ctx, c, params); err != nil {
		p.Fatal(err)
	}
}

func (p *tab) resize(width int64) {
	p.Helper()
	command(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 800, DeviceScaleFactor: 1})
}

func (p *tab) prefer(mode string) {
	p.Helper()
	command(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: mode}}})
}

func (p *tab) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.bad = append(p.bad, fmt.Sprintf("threw %s: %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		p.bad = append(p.bad, fmt.Sprintf("logged: %s", e.Args[0].Value))
	case *network.EventRequestWillBeSent:
		if before, _, _ := strings.Cut(e.Request.URL, "#"); before != p.own && e.Request.URL != "about:blank" {
			p.bad = append(p.bad, "loaded "+e.Request.URL)
		}
	}
}

func (p *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.Fatal(err)
	}
}

// open shows the file with a fragment as its address has it.
func (p *tab) open(path, fragment string) {
	p.Helper()
	u := url.URL{Scheme: "file", Path: path}
	p.mu.Lock()
	p.own = u.String()
	p.mu.Unlock()
	p.run(chromedp.Navigate("about:blank"), chromedp.Navigate(u.String()+fragment))
}

// eval runs a script in the page and reads its value, which goes through JSON.
func eval[T any](p *tab, script string) T {
	p.Helper()
	out, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](script))
	if err != nil {
		p.Fatalf("%s: %v", script, err)
	}
	return out
}

// do runs a script for its effect.
func (p *tab) do(script string) { p.Helper(); p.run(chromedp.Evaluate[chromedp.Void](script)) }

// press types keys as a keyboard does: one event of a key and its character, so that a
// page which takes the key keeps the character from being typed.
func (p *tab) press(keys ...string) {
	p.Helper()
	for _, r := range strings.Join(keys, "") {
		events := kb.Encode(r)
		down, up := *events[0], *events[len(events)-1]
		if len(events) == 3 {
			down.Text, down.UnmodifiedText = events[1].Text, events[1].UnmodifiedText
		}
		command(p, input.DispatchKeyEvent, down)
		command(p, input.DispatchKeyEvent, up)
	}
}

// until waits for a condition of the page.
func (p *tab) until(condition string) {
	p.Helper()
	if _, err := chromedp.Run(p.ctx, chromedp.Poll[bool](condition)); err != nil {
		p.Fatalf("waiting for %s: %v", condition, err)
	}
}

func check[T comparable](p *tab, what, script string, want T) {
	p.Helper()
	if got := eval[T](p, script); got != want {
		p.Errorf("%s: %v, want %v", what, got, want)
	}
}

// frame is the expression of the group of a frame that is drawn with this label.
func frame(label string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('.f')].find(g => g.getAttribute('aria-label').split('; ')[0] === %q)`, label)
}

// click clicks into the middle of what an expression of the page is.
func (p *tab) click(element string) {
	p.Helper()
	at := eval[struct{ X, Y float64 }](p, `(r => ({X: r.x + r.width / 2, Y: r.y + r.height / 2}))((`+element+`).getBoundingClientRect())`)
	p.run(chromedp.MouseClickXY(at.X, at.Y))
}

func (p *tab) clickFrame(label string) { p.Helper(); p.click(frame(label) + `.querySelector('rect')`) }
func (p *tab) clickButton(act string) {
	p.Helper()
	p.click(`document.querySelector('[data-act=` + act + `]')`)
}

const (
	status  = `document.querySelector('.status').textContent`
	focused = `(document.activeElement.getAttribute('aria-label') || '').split('; ')[0]`
)

// width is how wide a frame is drawn, in whole pixels.
func width(label string) string {
	return `Math.round(` + frame(label) + `.querySelector('rect').getBoundingClientRect().width)`
}

// save draws a tree into a file of the test.
func save(t testing.TB, tree *calltree.Tree, opt flamegraph.Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := flamegraph.Write(&b, tree, opt); err != nil {
		t.Fatal(err)
	}
	return saveBytes(t, b.Bytes())
}

func saveBytes(t testing.TB, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "picture.svg")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// shoot keeps a screenshot in the folder that FLAMEGRAPH_SHOTS names, to be looked at.
func (p *tab) shoot(name string) {
	p.Helper()
	dir := os.Getenv("FLAMEGRAPH_SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		p.Fatal(err)
	}
}
