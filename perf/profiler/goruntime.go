package profiler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/seanchatmangpt/clnrm-perf/perf/profileio"
)

// A runtimeProfile is a profile that a Go program can write of itself.
type runtimeProfile struct {
	name  string   // how the file is called that holds it
	flags []string // what makes a test binary write it, without -test. and the file
	extra string   // a flag that makes it exact
}

// runtimeProfiles are those of a kind, of which all are taken.
var runtimeProfiles = map[Kind][]runtimeProfile{
	KindCPU:    {{"cpu", []string{"cpuprofile"}, ""}},
	KindHeap:   {{"heap", []string{"memprofile"}, "memprofilerate=1"}},
	KindOffCPU: {{"block", []string{"blockprofile"}, "blockprofilerate=1"}, {"mutex", []string{"mutexprofile"}, "mutexprofilefraction=1"}},
}

// canWrite reports whether a command can write profiles of its own Go runtime.
func canWrite(c Command) bool { return c.Profiles != "" || isGoTest(c) || isTestBinary(c) }

// isGoTest takes go test.
func isGoTest(c Command) bool {
	return len(c.Args) > 1 && strings.TrimSuffix(filepath.Base(c.Args[0]), ".exe") == "go" && c.Args[1] == "test"
}

// isTestBinary takes what go test -c makes, called with a flag of the kind -test.v.
func isTestBinary(c Command) bool {
	if len(c.Args) == 0 {
		return false
	}
	return strings.HasSuffix(strings.TrimSuffix(c.Args[0], ".exe"), ".test") || slices.ContainsFunc(c.Args[1:], func(a string) bool { return strings.HasPrefix(a, "-test.") })
}

// recordRuntime lets a Go program write profiles of itself, and adds them up.
func recordRuntime(ctx context.Context, c Command, o Options, kind Kind) (*Recording, error) {
	dir, err := os.MkdirTemp(o.Dir, "runtime-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for profiles: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // it lies in the folder of the run, which goes as well
	commands, err := runtimeCommands(ctx, c, dir, kind)
	if err != nil {
		return nil, err
	}
	if kind == KindHeap || c.Profiles == "" { // of one file, only the last run would stay
		o.Repeat = 1
	}
	runs := 0
	for _, cmd := range commands {
		for range max(o.Repeat, 1) {
			out, err := run(ctx, cmd, o.Duration)
			if err != nil {
				return nil, err
			}
			if err := out.failure(c); err != nil {
				return nil, err
			}
			runs++
			if out.ended {
				break
			}
		}
	}
	rec, err := mergeFiles(dir, kind, c)
	if err != nil {
		return nil, err
	}
	rec.Runs = max(runs/len(commands), 1) // go test has a command for each package
	return rec, nil
}

// runtimeCommands are the commands that write into dir. go test writes a profile for one
// package at a time only.
func runtimeCommands(ctx context.Context, c Command, dir string, kind Kind) ([]Command, error) {
	switch {
	case isGoTest(c):
		return goTests(ctx, c, dir, kind)
	case isTestBinary(c):
		return []Command{withFlags(c, "-test.", dir, kind, "0")}, nil
	}
	env := c.Env
	if env == nil {
		env = os.Environ()
	}
	c.Env = append(slices.Clone(env), c.Profiles+"="+dir)
	return []Command{c}, nil
}

// withFlags adds the flags that make a test binary write a profile.
func withFlags(c Command, prefix, dir string, kind Kind, number string) Command {
	args := slices.Clone(c.Args)
	for _, p := range runtimeProfiles[kind] {
		for _, flag := range p.flags {
			args = append(args, prefix+flag+"="+filepath.Join(dir, p.name+"-"+number+".pprof"))
		}
		if p.extra != "" {
			args = append(args, prefix+p.extra)
		}
	}
	c.Args = args
	return c
}

// goTests asks the go command for the packages, and makes a command for each.
func goTests(ctx context.Context, c Command, dir string, kind Kind) ([]Command, error) {
	flags, patterns := splitGoTest(c.Args[2:])
	list := Command{Args: append([]string{c.Args[0], "list", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}"}, patterns...), Dir: c.Dir, Env: c.Env}
	out, err := run(ctx, list, 0)
	if err != nil {
		return nil, err
	}
	if err := out.failure(list); err != nil {
		return nil, err
	}
	var commands []Command
	for i, pkg := range strings.Fields(string(out.out.data)) {
		one := Command{Args: append([]string{c.Args[0], "test"}, flags...), Dir: c.Dir, Env: c.Env}
		one = withFlags(one, "-", dir, kind, strconv.Itoa(i))
		one.Args = append(one.Args, "-o", filepath.Join(dir, "binary-"+strconv.Itoa(i)), pkg)
		commands = append(commands, one)
	}
	if len(commands) == 0 {
		return nil, fmt.Errorf("%s: no package of %s has tests", c, strings.Join(patterns, " "))
	}
	return commands, nil
}

// splitGoTest tells flags from packages. Flags of the form -name value are not known
// from here, so only -name=value is.
func splitGoTest(args []string) (flags, patterns []string) {
	for _, a := range args {
		if strings.HasPrefix(a, "-") {
			flags = append(flags, a)
		} else {
			patterns = append(patterns, a)
		}
	}
	if len(patterns) == 0 {
		patterns = []string{"."}
	}
	return flags, patterns
}

// mergeFiles adds up the profiles of a kind.
func mergeFiles(dir string, kind Kind, c Command) (*Recording, error) {
	var all []*profile.Profile
	rec := &Recording{Kind: kind, Tool: "the Go runtime", Mode: "as the runtime unwinds"}
	for _, p := range runtimeProfiles[kind] {
		files, err := filepath.Glob(filepath.Join(dir, p.name+"-*.pprof"))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			one, err := readFile(f, profileio.Options{})
			if err != nil {
				return nil, err
			}
			if len(one.Profile.Sample) == 0 {
				continue
			}
			if kind == KindOffCPU {
				one.Profile = besideEachOther(one.Profile, p.name == "mutex")
			}
			all = append(all, one.Profile)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has written no %s profile with samples in it", c, kind)
	}
	p, err := profile.Merge(all)
	if err != nil {
		return nil, fmt.Errorf("adding up %d profiles of %s: %w", len(all), c, err)
	}
	rec.Profile = p
	return rec, rec.ofRuntime()
}

// besideEachOther gives a block or a mutex profile the sample types of both. They are about
// the same waits: the block profile has them where a goroutine waits, and the mutex profile
// where another one lets go of the lock at last. So they are not added up: what a lock costs,
// by who held it, is the sample type mutex_delay.
func besideEachOther(p *profile.Profile, mutex bool) *profile.Profile {
	types := []*profile.ValueType{{Type: "contentions", Unit: "count"}, {Type: "delay", Unit: "nanoseconds"}, {Type: "mutex_contentions", Unit: "count"}, {Type: "mutex_delay", Unit: "nanoseconds"}}
	if len(p.SampleType) != 2 {
		return p // of a Go that writes something else
	}
	at := 0
	if mutex {
		at = 2
	}
	for _, s := range p.Sample {
		values := make([]int64, len(types))
		copy(values[at:], s.Value)
		s.Value = values
	}
	p.SampleType, p.DefaultSampleType = types, "delay"
	// Merging wants the same period of both, and what is counted has none.
	p.PeriodType, p.Period = &profile.ValueType{Type: "contentions", Unit: "count"}, 1
	return p
}

// ofRuntime fills in what is known of a profile that a Go program has written.
func (r *Recording) ofRuntime() error {
	p := r.Profile
	if p.DefaultSampleType == "" {
		p.DefaultSampleType = p.SampleType[len(p.SampleType)-1].Type
	}
	if r.Kind == KindOffCPU && len(p.SampleType) == 4 {
		p.DefaultSampleType = "delay"
		r.Notes = append(r.Notes, "what others waited for at a lock, by who held it, is the sample type mutex_delay: go tool pprof -sample_index=mutex_delay")
	}
	if r.Kind == KindHeap {
		p.DefaultSampleType = "alloc_space"
		r.Notes = append(r.Notes, "Go's heap profile tells allocations and what is in use at the end, not the peak or what was temporary")
	}
	r.Report.Samples = 0
	for _, s := range p.Sample {
		r.Report.Samples += s.Value[0]
	}
	r.Report.Format, r.Report.Event = profileio.Pprof, p.DefaultSampleType
	return r.assess(true)
}

// maxFetched bounds what a server may send.
const maxFetched = 1 << 30

// Fetch takes a profile from a server with net/http/pprof. An address without a path of
// that package gets the one of the kind; a CPU profile takes as long as Duration says.
func Fetch(ctx context.Context, url string, o Options, kind Kind) (*Recording, error) {
	if !strings.Contains(url, "/pprof") {
		url = strings.TrimSuffix(url, "/") + "/debug/pprof/" + map[Kind]string{KindCPU: "profile", KindHeap: "allocs", KindOffCPU: "block"}[kind]
	}
	seconds := max(int(o.Duration/time.Second), 1)
	if kind == KindCPU && !strings.Contains(url, "seconds=") {
		mark := "?"
		if strings.Contains(url, "?") {
			mark = "&"
		}
		url += mark + "seconds=" + strconv.Itoa(seconds)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second+grace)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("asking %s for a profile: %w", url, err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking for a profile: %w", err)
	}
	rec := &Recording{Kind: kind, Tool: "net/http/pprof at " + url, Mode: "as the runtime unwinds"}
	if res.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("asking %s for a profile: it answers %s", url, res.Status), res.Body.Close())
	}
	rec.Profile, rec.Report, err = profileio.Read(io.LimitReader(res.Body, maxFetched), url, profileio.Options{})
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return nil, err
	}
	return rec, rec.ofRuntime()
}
