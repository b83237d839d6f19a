package suite

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// watching is a workload that watches, as a preset has it.
func watching() Workload {
	w, _ := Cleanroom("/src", "").Workload("hot reload")
	copied := *w.Watch
	copied.Stages = slices.Clone(copied.Stages)
	w.Watch = &copied
	return w
}

func TestWatchIsChecked(t *testing.T) {
	for want, spoil := range map[string]func(w *Workload){
		"":                      func(*Workload) {},
		"no Prepare":            func(w *Workload) { w.Prepare = []Command{{Args: []string{"true"}}} },
		"Memory":                func(w *Workload) { w.Memory = 1 },
		"needs a Timeout":       func(w *Workload) { w.Timeout = 0 },
		"must lie in folders":   func(w *Workload) { w.Watch.File = "/etc/reload.toml" },
		"must lie in folders ":  func(w *Workload) { w.Watch.File = Work + "/reload.toml" },
		"lies in the watched":   func(w *Workload) { w.Watch.Staging = Work + "/hot-reload/watched/staging" },
		"would not be found":    func(w *Workload) { w.Watch.Content = "always the same" },
		"would not be found ":   func(w *Workload) { w.Watch.Failing = w.Watch.Passing },
		"by which lines":        func(w *Workload) { w.Watch.Ready = "" },
		"by which lines ":       func(w *Workload) { w.Watch.End = nil },
		"two stages":            func(w *Workload) { w.Watch.Stages = w.Watch.Stages[:1] },
		"two stages ":           func(w *Workload) { w.Watch.Stages[0].Absent = true },
		`"wall" has no name of`: func(w *Workload) { w.Watch.Stages[1].Name = "wall" },
		`"detect" has no name`:  func(w *Workload) { w.Watch.Stages[1].Name = "detect" },
		`"render" must say by`:  func(w *Workload) { w.Watch.Stages[1].Ends = nil },
		`"render" must say by `: func(w *Workload) { w.Watch.Stages[1].Absent = true },
		`"display" must say by`: func(w *Workload) { w.Watch.Stages[4].Ends = []string{"done"} },
	} {
		w := watching()
		spoil(&w)
		err := Suite{Name: "s", Workloads: []Workload{{Name: "build", Command: Command{Args: []string{"true"}}}, w}}.CheckValid()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// A suite cannot promise what its subject never does.
func TestObjectiveOnAnAbsentStage(t *testing.T) {
	s := Clnrm(ClnrmOptions{Dir: "/src"})
	for _, o := range Cleanroom("/src", "").ObjectivesOf("hot reload") {
		if o.Metric.Name == "render" {
			s.Objectives = append(s.Objectives, o)
		}
	}
	if err := s.CheckValid(); err == nil || !strings.Contains(err.Error(), "is on render, which no reload") {
		t.Errorf("got %v", err)
	}
}

// Contents differ in the nonce and in the last scenario, and in nothing else.
func TestSave(t *testing.T) {
	for name, s := range presets() {
		for _, w := range s.Workloads {
			if w.Watch == nil {
				continue
			}
			pass, fail := w.Watch.Save("n-1", "some/image:1", true), w.Watch.Save("n-1", "some/image:1", false)
			if strings.Contains(pass+fail, Nonce) || strings.Contains(pass+fail, Outcome) || strings.Contains(pass+fail, Image) || !strings.Contains(pass, `name = "n-1"`) {
				t.Errorf("%s: %s:\n%s", name, w.Name, pass)
			}
			if strings.Replace(pass, `run = "true"`, `run = "false"`, 1) != fail {
				t.Errorf("%s: %s: what fails is other work than what passes:\n%s\n%s", name, w.Name, pass, fail)
			}
			if at := strings.LastIndex(fail, "[[scenario]]"); !strings.Contains(fail[at:], `"false"`) {
				t.Errorf("%s: %s: it fails before everything is done:\n%s", name, w.Name, fail)
			}
			if w.Watch.Save("n-2", "some/image:1", true) == pass {
				t.Errorf("%s: %s: two contents are the same", name, w.Name)
			}
		}
	}
}

func TestReloadSizes(t *testing.T) {
	s := Clnrm(ClnrmOptions{Dir: "/src"})
	for name, want := range map[string][2]int{"hot reload": {1, 1}, "hot reload medium": {3, 5}, "hot reload complex": {5, 10}} {
		w, ok := s.Workload(name)
		if !ok {
			t.Fatalf("no %s among %q", name, s.Names())
		}
		text := w.Watch.Content
		if got := [2]int{strings.Count(text, "\n[service."), strings.Count(text, "\n[[scenario]]")}; got != want {
			t.Errorf("%s: %d services and scenarios, want %d", name, got, want)
		}
	}
}

func TestReloads(t *testing.T) {
	s := Cleanroom("/src", "")
	if got := s.Reloads(); got != "hot reload,hot reload medium,hot reload complex" {
		t.Errorf("%q", got)
	}
	if sub, wanted, err := s.Select(s.Reloads()); err != nil || len(wanted) != 3 || len(sub.Workloads) != 4 {
		t.Errorf("%q, %v, %v; want the three and the build", sub.Names(), wanted, err)
	}
	if got := Cargo(CargoOptions{Dir: "/src", Name: "x"}).Reloads(); got != "" {
		t.Errorf("a crate reloads %q", got)
	}
}

func TestPlanReloads(t *testing.T) {
	plain := Workload{Watch: &Watch{}, Warmup: 2}
	list := planOf(Workload{}, plain, Workload{}, Workload{}, Workload{}, Workload{})
	if list[0].Budget != testMode.Budget/5 {
		t.Errorf("reloads take %s of what the others share", testMode.Budget/5-list[0].Budget)
	}
	if s := list[1]; !s.ByCost || s.Max != 2*testMode.Min || s.Budget != testMode.Share/3 {
		t.Errorf("shown beside: %+v", s)
	}
	steps := Cleanroom("/src", "").Plan(Full, map[string]bool{"hot reload": true})
	s := steps[slices.IndexFunc(steps, func(s Step) bool { return s.Name == "hot reload" })]
	if !s.ByCost || s.Max != 299 || s.Budget != 2*time.Minute || s.Expected() != 299*FirmReload {
		t.Errorf("judged: max %d within %s, expected %s", s.Max, s.Budget, s.Expected())
	}
}

func TestExpandWatch(t *testing.T) {
	w := watching()
	got := w.Expand("/w").Watch
	if got.File != "/w/hot-reload/watched/reload.clnrm.toml" || got.Staging != "/w/hot-reload/staging" || !strings.HasPrefix(w.Watch.File, Work) {
		t.Errorf("%s, %s, and before %s", got.File, got.Staging, w.Watch.File)
	}
}
