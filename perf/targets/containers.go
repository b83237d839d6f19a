package targets

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/baseline"
	"github.com/seanchatmangpt/clnrm-perf/perf/container"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// containerOptions are the flags of the target benchContainers.
type containerOptions struct {
	image, parallel, network string
	ready, cmd, env, budget  string
	exec                     *string // nil: the default
	rounds, seed             *int
	pull, json               bool
	report                   string
}

// What benchContainers measures where no flag says otherwise.
const (
	defaultLevels   = "1,2,4,8,16,32,64,100"
	defaultNetworks = "none,bridge,host"
	defaultScale    = 10 * time.Minute
	// maxParallel and maxRounds end what is meant as a number and was not thought about.
	maxParallel = 1000
	// probeHealth is between two health checks of the probe: a readiness by them is as
	// coarse as that.
	probeHealth = 100 * time.Millisecond
	maxRounds   = 1000
)

// scale turns the flags into what is to be measured.
func (o containerOptions) scale() (s experiment.Scale, err error) {
	if s.Levels, err = levelList(cmp.Or(o.parallel, defaultLevels)); err != nil {
		return s, err
	}
	if s.Networks, err = networkList(cmp.Or(o.network, defaultNetworks)); err != nil {
		return s, err
	}
	if s.Budget, err = duration("budget", o.budget); err != nil {
		return s, err
	}
	s.Budget = cmp.Or(s.Budget, defaultScale)
	if s.Rounds = number(o.rounds, experiment.ScaleRounds); s.Rounds < 1 || s.Rounds > maxRounds {
		return s, perf.Usagef("-rounds=%d is not from 1 to %d", s.Rounds, maxRounds)
	}
	s.Pull = o.pull
	if s.Seed, err = seed(o.seed); err != nil {
		return s, err
	}
	return s, o.spec(&s.Spec)
}

// spec reads what each container is.
func (o containerOptions) spec(spec *container.Spec) (err error) {
	c := &spec.Config
	c.Image = strings.TrimSpace(o.image)
	if strings.ContainsAny(c.Image, " \t\r\n") {
		return perf.Usagef("-image=%q is no name of an image, as postgres:16 is", o.image)
	}
	if o.cmd != "" {
		if c.Args, err = suite.SplitWords(o.cmd); err != nil {
			return perf.Usagef("-cmd: %w", err)
		}
	}
	if str(o.exec) != "" {
		if spec.Exec, err = suite.SplitWords(*o.exec); err != nil {
			return perf.Usagef("-exec: %w", err)
		}
	}
	if c.Env, err = envList(o.env); err != nil {
		return err
	}
	if spec.Ready, err = container.ParseReady(o.ready); err != nil {
		return perf.Usagef("-ready: %w", err)
	}
	if c.Image == "" {
		if o.pull {
			return perf.Usagef("-pull is for -image: the probe's image is made here")
		}
		o.probe(spec)
		return nil
	}
	if p, ok := container.FindPreset(c.Image); ok {
		p.Fill(spec)
	} else if o.ready == "" {
		return perf.Usagef("-image=%s: say how it shows that it is ready, as -ready=tcp:5432, exec:COMMAND, log:REGEX or health", c.Image)
	}
	return nil
}

// probe makes the probe do what its readiness asks for, where the user has not said
// otherwise, and run a command that does nothing for the phase exec.
func (o containerOptions) probe(spec *container.Spec) {
	nothing := []string{"/probe", "-exit=0"}
	if spec.Ready.Kind == container.ReadyTCP && o.cmd == "" {
		spec.Config.Args = []string{fmt.Sprintf("-listen=:%d", spec.Ready.Port)}
	}
	if spec.Ready.Kind == container.ReadyHealth {
		spec.Config.Health = &container.HealthCheck{Command: nothing, Interval: probeHealth}
	}
	if o.exec == nil {
		spec.Exec = nothing
	}
}

// levelList reads levels of parallelism, as in 1,2,4, into ascending order.
func levelList(list string) ([]int, error) {
	var out []int
	for item := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(item))
		if err != nil || n < 1 || n > maxParallel {
			return nil, perf.Usagef("-parallel=%s: %q is no number of containers at once, from 1 to %d", list, item, maxParallel)
		}
		if slices.Contains(out, n) {
			return nil, perf.Usagef("-parallel=%s names %d twice", list, n)
		}
		out = append(out, n)
	}
	slices.Sort(out)
	return out, nil
}

// networkList reads names of networks.
func networkList(list string) ([]string, error) {
	var out []string
	for item := range strings.SplitSeq(list, ",") {
		name := strings.TrimSpace(item)
		if name == "" || strings.ContainsAny(name, " \t\r\n/:") {
			return nil, perf.Usagef("-network=%s: %q is no network, as none, bridge, host or the name of one that the engine has", list, item)
		}
		if slices.Contains(out, name) {
			return nil, perf.Usagef("-network=%s names %s twice", list, name)
		}
		out = append(out, name)
	}
	return out, nil
}

// envList reads variables, as in A=1,B=2. A value may hold commas: what follows one and
// is no KEY=VALUE belongs to the value before.
func envList(list string) ([]string, error) {
	var out []string
	if list == "" {
		return nil, nil
	}
	for item := range strings.SplitSeq(list, ",") {
		key, _, ok := strings.Cut(item, "=")
		switch {
		case ok && isVariable(key):
			out = append(out, item)
		case len(out) > 0:
			out[len(out)-1] += "," + item
		default:
			return nil, perf.Usagef("-env=%s: %q is not KEY=VALUE", list, item)
		}
	}
	return out, nil
}

// isVariable reports whether a name can be that of an environment variable.
func isVariable(name string) bool {
	return name != "" && strings.IndexFunc(name, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) < 0 && (name[0] < '0' || name[0] > '9')
}

// containersBenched is the target benchContainers.
func containersBenched(ctx context.Context, o containerOptions) error {
	ctx, stop := guarded(ctx)
	defer stop()
	s, err := o.scale()
	if err != nil {
		return bare(err)
	}
	r, err := openReportedRun(o.report)
	if err != nil {
		return bare(err)
	}
	r.judge, r.headline = judgeContainers, report.ScalingHeadline
	return bare(r.finish(ctx, r.scale(ctx, s, o.image), o.json, report.Scaling(measure.TerminalWidth(os.Stdout))))
}

// judgeContainers is the exit status of a run of containers: 1 where a lifecycle failed, or
// where no level at all was measured.
func judgeContainers(r *perf.Result) int {
	status := experiment.Policy{}.Status(r)
	if !experiment.ScaleMeasured(r) {
		status = perf.WorstExit(status, perf.ExitFailure)
	}
	return status
}

// scale measures containers, and saves after every round.
func (r *run) scale(ctx context.Context, s experiment.Scale, image string) error {
	r.result.Suite, r.result.Mode = containerSuite(image), "scale"
	r.result.Subject.Name = cmp.Or(image, "the probe")
	r.result.Machine, r.result.Warnings = measure.Machine(ctx)
	engine := connectEngine(ctx, r.result.ID)
	defer func() {
		engine.close(ctx)
		r.result.Warnings = append(r.result.Warnings, engine.warnings...)
	}()
	if engine.Engine != nil {
		info := engine.Engine.Info()
		r.result.Machine.Toolchain = map[string]string{strings.ToLower(info.Product): info.Version}
		r.status.Announce(fmt.Sprintf("%s %s: %d levels of parallelism in %d networks, %d rounds, at most %s", info.Product, info.Version, len(s.Levels), len(s.Networks), s.Rounds, s.Budget))
	}
	s.Containers = engine.Containers
	s.Hooks = experiment.ScaleHooks{Announce: r.status.Announce, Progress: r.status.ScaleProgress, Pulling: r.status.Line, Done: func(res *perf.Result) error {
		res.Exit = r.exit(res)
		_, err := r.store.Write(res)
		return err
	}}
	return errors.Join(s.Run(ctx, r.result), r.picture())
}

// pictureFile is the picture of a run of containers, in its folder.
const pictureFile = "scaling.svg"

// picture draws what was measured.
func (r *run) picture() error {
	var b bytes.Buffer
	if err := report.ScalingSVG(&b, r.result); err != nil {
		return fmt.Errorf("drawing %s: %w", pictureFile, err)
	}
	return baseline.WriteFile(filepath.Join(r.dir, pictureFile), b.Bytes(), 0o644)
}

// containerSuite is the suite that runs of an image belong to: what one image takes says
// nothing of another.
func containerSuite(image string) string {
	if image == "" {
		return "containers"
	}
	return perf.FileName("containers-" + image)
}
