package targets

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

func TestEnvList(t *testing.T) {
	for text, want := range map[string][]string{
		"":                     nil,
		"A=1":                  {"A=1"},
		"A=1,B_2=,_c=x=y":      {"A=1", "B_2=", "_c=x=y"},
		"OPTS=a,b,c,LEVEL=3":   {"OPTS=a,b,c", "LEVEL=3"},
		"URL=http://h/?q=1,2":  {"URL=http://h/?q=1,2"},
		"A=-c max=1,-c x.y=2,": {"A=-c max=1,-c x.y=2,"},
	} {
		if got, err := envList(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is %q, %v; want %q", text, got, err, want)
		}
	}
}

// FuzzContainerFlags holds that whatever is written is understood or is a usage error
// with a sentence, and that what is understood makes sense.
func FuzzContainerFlags(f *testing.F) {
	f.Add("1,2,4", "none,bridge", "tcp:5432", "-a 'b c'", "A=1", "30s", "postgres:16")
	f.Add("", "", "", "", "", "", "")
	f.Add("0", ",", "exec:", "'", "=", "-1s", "a b")
	f.Fuzz(func(t *testing.T, parallel, network, ready, cmd, env, budget, image string) {
		s, err := containerOptions{parallel: parallel, network: network, ready: ready, cmd: cmd, env: env, budget: budget, image: image}.scale()
		if err != nil {
			if perf.ExitStatus(err) != perf.ExitUsage || strings.TrimSpace(err.Error()) == "" {
				t.Fatalf("no usage error: %v (%v)", err, errors.Unwrap(err))
			}
			return
		}
		if len(s.Levels) == 0 || !slices.IsSorted(s.Levels) || s.Levels[0] < 1 || len(s.Networks) == 0 || s.Budget <= 0 || s.Rounds < 1 {
			t.Fatalf("%+v", s)
		}
		for _, e := range s.Spec.Config.Env {
			if key, _, ok := strings.Cut(e, "="); !ok || !isVariable(key) {
				t.Fatalf("the variable %q", e)
			}
		}
	})
}
