package main

import (
	"debug/elf"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/container"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// TestStepsWithoutEngine: without an engine steps are processes, and the first line
// says why; whoever demands containers gets an error.
func TestStepsWithoutEngine(t *testing.T) {
	r := newRoom(t, map[string]string{"a.clnrm.toml": hello})
	r.env = []string{"DOCKER_HOST=unix:///nonexistent/engine.sock"}
	const reason = "no container engine at unix:///nonexistent/engine.sock (DOCKER_HOST): nothing listens there"
	for _, tc := range []struct {
		args, env  string
		status     int
		out, error string
	}{
		{"run --force", "", 0, "cleanroom::run: Steps run as processes: " + reason, ""},
		{"run --force -steps=auto", stepsContainers, 0, "Steps run as processes: " + reason, ""},
		{"run --force", stepsProcesses, 0, "Steps run as processes\n", ""},
		{"run --force -steps=containers", "", 1, "", "run steps in containers: " + reason},
		{"run --force", stepsContainers, 1, "", "run steps in containers: " + reason},
		{"self-test", "", 0, "\nSteps of 5 files of 33 run as processes: " + reason, ""},
		{"run --force -steps=nowhere", "", 2, "", `steps run as "nowhere"? It is auto, containers or processes`},
	} {
		t.Run(tc.args+" "+tc.env, func(t *testing.T) {
			r := *r
			r.t = t
			r.env = append([]string{"CLEANROOM_STEPS=" + tc.env}, r.env...)
			out, complaints, status := r.call(strings.Fields(tc.args)...)
			if status != tc.status || !strings.Contains(out, tc.out) || !strings.Contains(complaints, tc.error) || tc.error == "" && complaints != "" {
				t.Errorf("status %d, want %d, %q, %q; complaints %q; got:\n%s", status, tc.status, tc.out, tc.error, complaints, out)
			}
		})
	}
}

// TestNoEngineAsked: what runs no step looks for no engine.
func TestNoEngineAsked(t *testing.T) {
	r := newRoom(t, map[string]string{"a.clnrm.toml": hello})
	r.env = []string{"CLEANROOM_STEPS=" + stepsContainers, "DOCKER_HOST=unix:///nonexistent/engine.sock"}
	for _, args := range []string{"--help", "validate a.clnrm.toml", "render a.clnrm.toml", "applet true"} {
		if _, complaints, status := r.call(strings.Fields(args)...); status != 0 {
			t.Errorf("%s: status %d, %s", args, status, complaints)
		}
	}
}

// TestOwnProgram: of what the default image cannot be made.
func TestOwnProgram(t *testing.T) {
	for _, info := range []container.Info{{OS: "linux", Arch: "pdp11"}, {OS: "windows", Arch: runtime.GOARCH}} {
		_, err := ownProgram(info)
		want := "the engine runs programs of " + info.OS + "/" + info.Arch + ", and this one, of which the image is made, is for " + runtime.GOOS + "/" + runtime.GOARCH
		if info.OS != runtime.GOOS || info.Arch != runtime.GOARCH {
			if err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	}
	if runtime.GOOS != "linux" {
		return
	}
	program, err := elf.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	f, err := ownProgram(container.Info{OS: "linux", Arch: runtime.GOARCH})
	switch {
	case isStatic(program) && err != nil:
		t.Error(err)
	case !isStatic(program) && (err == nil || !strings.Contains(err.Error(), "build it with CGO_ENABLED=0")):
		t.Errorf("got %v for a program that is linked dynamically", err)
	case err == nil:
		f.Close()
	}
}

// TestForeignRun: a variable that names no run of ours is a reason, too.
func TestForeignRun(t *testing.T) {
	engine, err := container.Connect(t.Context(), engineSettings())
	if err != nil {
		testenv.Missing(t, "docker", err.Error())
	}
	defer engine.Close()
	t.Setenv(container.RunEnv, "20261129T120000Z")
	_, err = newContainerExecutor(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "environment variable "+container.RunEnv+": owner ") {
		t.Errorf("got %v", err)
	}
}
