package profiler

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// playedXctrace plays xctrace, which no machine but a Mac has: it notes how it is called,
// makes a folder as a recording is one, and exports what a Mac once did.
const playedXctrace = `#!/bin/sh
echo "$@" >> "$PLAYED/calls"
case $1 in
record)
	while [ "$1" != --output ]; do shift; done
	mkdir "$2" && echo kept > "$2/form.template" ;;
export)
	cat "$PLAYED/export.xml" ;;
esac
`

const exported = `<?xml version="1.0"?><trace-query-result><node><schema name="time-profile"/>` +
	`<row><thread id="1" fmt="main"><tid id="2" fmt="7">7</tid></thread><weight id="3" fmt="2 ms">2000000</weight><backtrace id="4"><frame id="5" name="work" addr="0x10"/><frame id="6" name="start" addr="0x20"/></backtrace></row>` +
	`<row><thread ref="1"/><weight id="7" fmt="1 ms">1000000</weight><backtrace id="8"><frame ref="6"/></backtrace></row></node></trace-query-result>`

func TestXctrace(t *testing.T) {
	testenv.Tool(t, "sh")
	bin, played := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "xctrace"), []byte(playedXctrace), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, played, "export.xml", exported)
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("PLAYED", played)
	o := options(t)
	o.Duration = 1500 * time.Millisecond
	c := Command{Args: []string{"./app", "--fast"}, Dir: t.TempDir(), Env: append(os.Environ(), "MODE=quick")}
	r, err := recordXctrace(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	if lines := foldedLines(r.Profile); len(lines) < 2 || lines[0] != "start 1000000" || lines[1] != "start;work 2000000" {
		t.Errorf("stacks %q", lines)
	}
	if r.Quality.Samples != 2 || r.Quality.Rooted != 1 || r.Runs != 1 || r.Kind != KindCPU {
		t.Errorf("%+v", r)
	}
	calls, err := os.ReadFile(filepath.Join(played, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"record --template Time Profiler", "--time-limit 1500ms", "--env MODE=quick", "--launch -- ./app --fast", `table[@schema="time-profile"]`} {
		if !strings.Contains(string(calls), want) {
			t.Errorf("no %q in the calls:\n%s", want, calls)
		}
	}
	if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left (%v)", left, err)
	}
	write(t, played, "export.xml", `<?xml version="1.0"?><trace-query-result></trace-query-result>`)
	if _, err := recordXctrace(t.Context(), c, o); !errors.Is(err, ErrNothing) {
		t.Errorf("%v, want that there is nothing", err)
	}
	if reason := xctraceWorks(t.Context()); (reason == "") != (runtime.GOOS == "darwin") {
		t.Errorf("on %s: %q", runtime.GOOS, reason)
	}
}
