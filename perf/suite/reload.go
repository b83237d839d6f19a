package suite

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// The workloads of a hot reload. The first is the one with objectives.
const (
	hotReload        = "hot reload"
	hotReloadMedium  = "hot reload medium"
	hotReloadComplex = "hot reload complex"
)

// reloadSizes are the test files by which it is seen how the cost grows.
var reloadSizes = []struct {
	name                string
	services, scenarios int
}{{hotReload, 1, 1}, {hotReloadMedium, 3, 5}, {hotReloadComplex, 5, 10}}

// Stages of a reload, with their medians' targets. Critical is twice that.
var reloadStages = []struct {
	name   string
	target float64
}{{"detect", 0.1}, {"render", 0.5}, {"parse", 0.2}, {"execute", 2}, {"display", 0.05}}

// A reloader is a command that reloads test files.
type reloader struct {
	bin    string
	env    []string
	needs  []string
	stages []Stage
	// content is a test file of so many services and scenarios, of which the last one
	// decides how it ends.
	content func(services, scenarios int) string
}

// workloads are the reloads of files of all sizes.
func (r reloader) workloads() []Workload {
	var out []Workload
	for _, size := range reloadSizes {
		out = append(out, r.workload(size.name, r.content(size.services, size.scenarios)))
	}
	return out
}

// workload is the reload of one file. All that the command finds, and all that it
// writes, is in a folder of its own: clnrm takes every *.toml for a test, and reads a
// cleanroom.toml where it runs.
func (r reloader) workload(name, content string) Workload {
	const file = "reload.clnrm.toml"
	root := Work + "/" + strings.ReplaceAll(name, " ", "-")
	watched, staging, home, tmp := root+"/watched", root+"/staging", root+"/home", root+"/tmp"
	return Workload{
		Name:    name,
		Command: Command{[]string{r.bin, "run", "--watch", "--force", watched}, root, slices.Concat(r.env, []string{"HOME=" + home, "TMPDIR=" + tmp})},
		Needs:   r.needs,
		Fresh:   []string{watched, staging, home, tmp},
		Warmup:  2, Timeout: 2 * time.Minute, MakesContainers: true,
		Watch: &Watch{
			File: watched + "/" + file, Staging: staging,
			Content: content, Passing: "true", Failing: "false",
			Ready: "Watching: ", Named: "🚀 Executing test: ",
			Pass: "✅ " + file + " - PASS (", Fail: "❌ " + file + " - FAIL (",
			End:    []string{"All tests passed!", "Test run failed: "},
			Stages: r.stages,
		},
	}
}

// Lines by which stages end, of the embedded subject and of clnrm alike.
var (
	endOfDetect  = []string{"File change detected: "}
	endOfExecute = []string{"Test passed: ", "Test failed: "}
)

// cleanroomStages are those of the embedded subject. It renders every file, and has no
// pause in front of a rerun.
func cleanroomStages() []Stage {
	return []Stage{
		{Name: "detect", Ends: endOfDetect},
		{Name: "render", Ends: []string{"Rendered "}},
		{Name: "parse", Ends: []string{"Successfully loaded "}},
		{Name: "execute", Ends: endOfExecute},
		{Name: "display"},
	}
}

// clnrmStages are those of clnrm. It sleeps for 100 ms after each change, and does not
// render a saved file: only the words of its commands. Where it finds no cleanroom.toml
// that it likes, it says so at the end of its parsing.
func clnrmStages() []Stage {
	return []Stage{
		{Name: "detect", Ends: endOfDetect},
		{Name: "fixed sleep", Ends: []string{"Running cleanroom tests"}},
		{Name: "render", Absent: true},
		{Name: "parse", Ends: []string{"Successfully loaded cleanroom config", "Failed to load cleanroom config"}},
		{Name: "execute", Ends: endOfExecute},
		{Name: "display"},
	}
}

// reloadHead begins a test file whose lines can be told from those of any other.
const reloadHead = "[meta]\nname = \"" + Nonce + "\"\nversion = \"1.0.0\"\n"

// lastScenario decides how the file ends, when everything else is done: a file that
// fails is as much work as one that passes.
func lastScenario(n int) string {
	return fmt.Sprintf("\n[[scenario]]\nname = \"scenario %d\"\nservice = \"s1\"\nrun = \"%s\"\n", n, Outcome)
}

// cleanroomFile has its services and scenarios from a template, so that there is
// something to render. Services name no image: the subject has one of its own.
func cleanroomFile(services, scenarios int) string {
	return reloadHead +
		fmt.Sprintf("{{range seq 1 %d}}\n[service.s{{.}}]\nplugin = \"generic_container\"\n{{end}}", services) +
		fmt.Sprintf("{{range seq 1 %d}}\n[[scenario]]\nname = \"scenario {{.}}\"\nservice = \"s1\"\nrun = \"echo {{.}} of %s\"\n{{end}}", scenarios-1, Nonce) +
		lastScenario(scenarios)
}

// clnrmFile is the same, written out.
func clnrmFile(services, scenarios int) string {
	text := reloadHead
	for i := range services {
		text += fmt.Sprintf("\n[service.s%d]\nplugin = \"generic_container\"\nimage = \"%s\"\n", i+1, Image)
	}
	for i := range scenarios - 1 {
		text += fmt.Sprintf("\n[[scenario]]\nname = \"scenario %d\"\nservice = \"s1\"\nrun = \"echo %[1]d of %s\"\n", i+1, Nonce)
	}
	return text + lastScenario(scenarios)
}

// objectives are those of clnrm's budget for a hot reload, as far as the subject
// has the stages.
func (r reloader) objectives() []Objective {
	quantile := func(name string, q, target, critical float64) Objective {
		return Objective{Name: hotReload + " " + name, Workload: hotReload, Metric: perf.Wall, Quantile: q, Confidence: 0.95, Target: target, Critical: critical}
	}
	out := []Objective{quantile("p50", 0.5, 2, 3), quantile("p95", 0.95, 3, 5), quantile("p99", 0.99, 5, 10)}
	for _, s := range reloadStages {
		if !(Watch{Stages: r.stages}).hasStage(s.name) {
			continue
		}
		o := quantile(s.name, 0.5, s.target, 2*s.target)
		o.Metric = perf.Metric{Name: s.name, Unit: perf.Second, Better: perf.Lower}
		out = append(out, o)
	}
	return out
}
