package targets_test

import (
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

func TestBenchContainersUsage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ arg, says string }{
		{"-parallel=0", "no number of containers at once"},
		{"-parallel=1,two", `"two" is no number`},
		{"-parallel=1,,2", `"" is no number`},
		{"-parallel=4,4", "names 4 twice"},
		{"-parallel=1e9", "from 1 to 1000"},
		{"-network=none,", "is no network"},
		{"-network=none,none", "names none twice"},
		{"-network=a b", "is no network"},
		{"-ready=tcp:x", `"x" is no port`},
		{"-ready=soon", "write tcp:PORT"},
		{"-ready=log:(", "log:("},
		{"-ready=exec:'open", "never closed"},
		{"-cmd='open", "never closed"},
		{"-exec='open", "never closed"},
		{"-env=novalue", "is not KEY=VALUE"},
		{"-budget=soon", "-budget"},
		{"-seed=-1", "a seed is 0 or more"},
		{"-rounds=0", "-rounds=0 is not from 1"},
		{"-image=a b", "is no name of an image"},
		{"-image=mine:1", "say how it shows that it is ready"},
		{"-pull", "-pull is for -image"},
		{"-report=pdf=x", "-report"},
	} {
		t.Run(tc.arg, func(t *testing.T) {
			dir := t.TempDir()
			call(t, dir, nil, "benchContainers", tc.arg).want(t, perf.ExitUsage, tc.says)
			if r := results(t, dir); len(r) > 0 {
				t.Error("a call that makes no sense has left a result")
			}
		})
	}
}

func TestBenchContainersWithoutAnEngine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	call(t, dir, []string{"DOCKER_HOST=unix:///nonexistent"}, "benchContainers").want(t, perf.ExitFailure, "Nothing was measured", "NOT MEASURED", "unix:///nonexistent", "nothing was measured")
	if r := results(t, dir); len(r) != 1 || !r[0].Complete || len(r[0].Scaling) != 3 {
		t.Errorf("it has left %+v", r)
	}
}
