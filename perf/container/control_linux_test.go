package container

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// TestControl runs the probe without a container.
func TestControl(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "go")
	program, err := probeBinary()
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewControl(Info{SharesClock: true}, program)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Run(t.Context(), Spec{Config: Config{Args: []string{"-delay=50ms", "-stop-delay=30ms"}}})
	if err != nil {
		t.Fatal(err)
	}
	if p.Start <= 0 || p.Ready < 50*time.Millisecond || p.Stop < 30*time.Millisecond || p.ExitCode != 0 || p.Killed ||
		!p.HasProgram || p.BeforeMain <= 0 || p.BeforeMain+p.Program != p.Ready || p.Create != 0 || p.Remove != 0 {
		t.Errorf("%+v", p)
	}
	p, err = c.Run(t.Context(), Spec{Config: Config{Args: []string{"-ignore-term"}}, Grace: 50 * time.Millisecond})
	if err != nil || !p.Killed || p.Stop < 50*time.Millisecond {
		t.Errorf("a process that ignores SIGTERM: %+v, %v", p, err)
	}
	for says, s := range map[string]Spec{
		"no configuration": {Config: Config{Args: []string{"-say=no configuration", "-exit=3"}}},
		"not ready after 100ms: it has written no line that begins with": {Config: Config{Args: []string{"-silent"}}, ReadyTimeout: 100 * time.Millisecond},
		"exit status 0, before it was ready":                             {Config: Config{Args: []string{"-exit=0"}}},
		"and not by tcp:80":                                              {Ready: Ready{Kind: ReadyTCP, Port: 80}},
	} {
		if p, err := c.Run(t.Context(), s); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q is not in %v (%+v)", says, err, p)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(c.dir); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
	if _, err := NewControl(Info{}, program); err == nil {
		t.Error("an engine under another kernel has a control")
	}
}
