package measure

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// A Tool is a program that measuring, profiling or a subject can use.
type Tool struct {
	Name string
	// Found says that the tool is on PATH or, of the Docker engine, that its
	// client is or that it answers.
	Found bool
	// Usable says that it ran, or answered, and told its version. A tool can be
	// found and not be usable: Note then holds its words.
	Usable  bool
	Path    string // the file; the address, of an engine
	Version string
	// Enables is what the tool makes possible here.
	Enables string
	// Install is the command that installs it on this system, or a sentence that
	// says why there is none.
	Install string
	// Note is what else there is to know: why a tool that was found does not
	// work, or what stands in for one that is not needed.
	Note string
}

// toolTimeout is how long a tool may take: it may have to come from a slow disk first.
const toolTimeout = 5 * time.Second

// A toolKind is a row of the catalogue: a tool, and how to ask for its version.
type toolKind struct {
	name    string
	version []string // the arguments; --version if empty
	enables string
	note    string
	only    string // the one system that has it; empty for all
}

// toolCatalogue is every tool that the module or its subjects can use, the Docker
// engine aside, which answers through a socket.
var toolCatalogue = []toolKind{
	{name: "go", version: []string{"version"}, enables: "building these targets and Go subjects; their benchmarks"},
	{name: "git", enables: "naming the commit of a result; building other commits to compare with"},
	{name: "cargo", enables: "building and testing Rust subjects, and their Criterion benchmarks"},
	{name: "cc", enables: "linking Rust subjects; the benchmark of the runner's own overhead"},
	{name: "perf", only: "linux", enables: "profiles of CPU and waits by perf record (-via=perf)",
		note: "without it, profiles are recorded by the kernel's events directly"},
	{name: "heaptrack", only: "linux", enables: "profiles of allocations: peak, temporary and leaked memory"},
	{name: "valgrind", only: "linux", enables: "counts of instructions (callgrind) and heap profiles (DHAT, massif) that do not depend on the clock"},
	{name: "xctrace", version: []string{"version"}, only: "darwin", enables: "CPU and allocation profiles by Instruments"},
	{name: "cargo-flamegraph", version: []string{"flamegraph", "--version"},
		enables: "the flamegraph of cargo make cleanroom-profile", note: "needs perf, and a benchmark or test target that exists"},
	{name: "cargo-instruments", version: []string{"instruments", "--version"}, only: "darwin",
		enables: "CPU and allocation profiles of Cargo projects by Instruments", note: "needs xctrace"},
	{name: "cargo-make", version: []string{"make", "--version"},
		enables: "nothing that is not here already", note: "not needed: the targets run the commands of the tasks by themselves"},
}

// Tools looks for every tool, asks each that is there for its version, and says
// how to install it. The Docker engine comes first: engine is given what is known
// without it, and completes it, as it answers by a socket and no program does. Tools
// waits for the slowest answer, at most some seconds, and starts nothing else.
func Tools(ctx context.Context, engine func(context.Context, Tool) Tool) []Tool {
	return toolbox{installer: systemInstaller(), system: runtime.GOOS, toolTimeout: toolTimeout, engine: engine}.tools(ctx)
}

// A toolbox is what a search for tools depends on besides PATH and environment.
type toolbox struct {
	installer   installer
	system      string // as runtime.GOOS
	toolTimeout time.Duration
	engine      func(context.Context, Tool) Tool
}

func (b toolbox) tools(ctx context.Context) []Tool {
	found := make([]Tool, 1+len(toolCatalogue))
	var all sync.WaitGroup
	all.Go(func() {
		found[0] = b.engine(ctx, Tool{Name: "docker engine", Enables: "container lifecycles, and tests that run in containers",
			Install: b.installer.command("docker")})
	})
	for i, kind := range toolCatalogue {
		all.Go(func() { found[1+i] = b.look(ctx, kind) })
	}
	all.Wait()
	return found
}

// look finds one tool on PATH and asks it for its version.
func (b toolbox) look(ctx context.Context, kind toolKind) Tool {
	t := Tool{Name: kind.name, Enables: kind.enables, Note: kind.note}
	if kind.only != "" && kind.only != b.system {
		t.Install = notAvailable(kind.only)
		return t
	}
	t.Install = b.installer.command(kind.name)
	path, err := exec.LookPath(kind.name)
	if err != nil {
		// A file that is there without the right to run it counts as found.
		if !errors.Is(err, exec.ErrNotFound) {
			t.Note = err.Error()
		}
		return t
	}
	t.Found, t.Path = true, path
	args := kind.version
	if args == nil {
		args = []string{"--version"}
	}
	out, err := toolOutput(ctx, b.toolTimeout, path, args...)
	if err != nil {
		t.Note = "found, but it does not run: " + err.Error()
		t.Install = b.installer.repair(kind.name)
		return t
	}
	t.Version = toolVersion(out)
	t.Usable = t.Version != ""
	if !t.Usable {
		t.Note = "found, but it tells no version: " + firstWords(out)
	}
	return t
}

// notAvailable says that a tool exists for another system alone.
func notAvailable(only string) string {
	names := map[string]string{"linux": "Linux", "darwin": "macOS"}
	return "not available on this system (" + names[only] + " only)"
}
