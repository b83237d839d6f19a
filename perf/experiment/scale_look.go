package experiment

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/container"
	"github.com/seanchatmangpt/clnrm-perf/perf/stats"
)

// A scaleLook is what is seen of the engine during one visit. The first visit of each
// level is looked into, and no other: looking takes up to 3 % of one processor, which
// would be missing in every value of the throughput, and so is missing in one.
type scaleLook struct {
	recorder  *container.Recorder
	watch     *container.EngineWatch
	undivided string // why there is no watch
	control   *perf.ScalingControl
	noControl string
}

// look begins to look at a visit; nil where it is not the first.
func (x *scaling) look(ctx context.Context, c *scaleCell) *scaleLook {
	if c.cold || c.visits > 0 {
		return nil
	}
	l := &scaleLook{}
	l.control, l.noControl = x.control(ctx, c)
	if info := x.Engine.Info(); !info.SharesClock {
		l.undivided = "the engine does not run under this machine's kernel"
		return l
	}
	var err error
	if l.recorder, err = container.StartRecorder(ctx, x.Engine, container.Attribution{Owner: x.Owner}, nil); err != nil {
		l.recorder = nil // then no event divides a phase
	}
	if l.watch, err = container.WatchEngine(x.Engine); err != nil {
		l.watch, l.undivided = nil, err.Error()
	}
	return l
}

// end says where the time went of the lives of the visit; nil where it was not looked at.
func (l *scaleLook) end(ctx context.Context, c *scaleCell, v visited) *perf.ScalingWhere {
	if l == nil {
		return nil
	}
	var work container.EngineWork
	if l.watch != nil {
		work = l.watch.Stop()
	}
	lines := map[string]container.Timeline{}
	if l.recorder != nil {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
		heard, _ := l.recorder.Stop(within) // what was not heard divides nothing
		for _, line := range heard.Containers {
			lines[line.ID] = line
		}
	}
	if len(v.phases) == 0 {
		return nil
	}
	w := &perf.ScalingWhere{Parallel: c.parallel, Workload: c.name(), Lives: len(v.phases), Undivided: l.undivided, Control: l.control, NoControl: l.noControl}
	var lives [][]container.Share
	for _, p := range v.phases {
		lives = append(lives, container.Where(p, lines[p.ID], work))
	}
	for _, s := range container.MeanShares(lives...) {
		w.Parts = append(w.Parts, perf.ScalingPart{Phase: s.Phase, Step: s.Step, Cause: string(s.Cause), Seconds: s.Time.Seconds()})
	}
	if l.watch != nil {
		programs(w, work)
	}
	return w
}

// programs says what the engine's programs took for each life.
func programs(w *perf.ScalingWhere, work container.EngineWork) {
	each := func(d time.Duration) float64 { return d.Seconds() / float64(w.Lives) }
	busy := 0.0
	for _, p := range work.Parts {
		busy += p.CPU.Seconds()
		w.Programs = append(w.Programs, perf.ScalingProgram{Program: p.Program, CPU: each(p.CPU), Delay: each(p.RunDelay), Disk: each(p.Disk), Network: each(p.Network)})
	}
	if wall := work.Ended.Sub(work.Began).Seconds(); wall > 0 {
		busy /= wall
		w.Processors = &busy
	}
}

// control runs the program without a container, as many at once as the cell says: what
// a start takes beyond that is the container's price. Else it says why not.
func (x *scaling) control(ctx context.Context, c *scaleCell) (*perf.ScalingControl, string) {
	if x.image.program == nil {
		return nil, "the program is in the image alone"
	}
	control, err := container.NewControl(x.Engine.Info(), x.image.program)
	if err != nil {
		return nil, err.Error()
	}
	b := &blockRun{toBegin: c.perVisit(), progress: func(int) {}}
	v := b.run(ctx, c.parallel, func() (container.Phases, error) { return control.Run(ctx, x.Spec) })
	if err := control.Close(); v.err == nil {
		v.err = err
	}
	if v.err != nil {
		return nil, firstLine(v.err.Error())
	}
	if len(v.phases) == 0 {
		return nil, "it was interrupted"
	}
	middle := func(of func(container.Phases) time.Duration) float64 {
		var s perf.Sample
		for _, p := range v.phases {
			s = append(s, of(p).Seconds())
		}
		return stats.Median(s)
	}
	return &perf.ScalingControl{
		Lives: len(v.phases),
		Start: middle(func(p container.Phases) time.Duration { return p.Start }),
		Ready: middle(func(p container.Phases) time.Duration { return p.Ready }),
		Stop:  middle(func(p container.Phases) time.Duration { return p.Stop }),
	}, ""
}

// startPhases are those until a container is ready.
var startPhases = []string{"create", "attach", "start"}

// A causeShare is the share of a start that went by for one cause.
type causeShare struct {
	cause container.Cause
	share float64
}

// causesOfStart divides a start among its causes, the greatest first.
func causesOfStart(w *perf.ScalingWhere) []causeShare {
	var list []causeShare
	whole := 0.0
	for _, p := range w.Parts {
		if !slices.Contains(startPhases, p.Phase) {
			continue
		}
		whole += p.Seconds
		at := slices.IndexFunc(list, func(s causeShare) bool { return string(s.cause) == p.Cause })
		if at < 0 {
			at = len(list)
			list = append(list, causeShare{cause: container.Cause(p.Cause)})
		}
		list[at].share += p.Seconds
	}
	for i := range list {
		list[i].share /= max(whole, 1e-12)
	}
	slices.SortStableFunc(list, func(a, b causeShare) int { return int(1e9 * (b.share - a.share)) })
	return list
}

// shareOfStart is that of one cause.
func shareOfStart(w *perf.ScalingWhere, cause container.Cause) float64 {
	for _, s := range causesOfStart(w) {
		if s.cause == cause {
			return s.share
		}
	}
	return 0
}

// causeText lists the causes that have a part of a start.
func causeText(w *perf.ScalingWhere) string {
	if w.Undivided != "" {
		return fmt.Sprintf("%s: %s", container.CauseUndivided, w.Undivided)
	}
	text := ""
	for _, s := range causesOfStart(w) {
		if s.cause == container.CauseProgram || s.share < 0.01 {
			continue
		}
		if text != "" {
			text += "; "
		}
		text += pct(s.share) + " " + string(s.cause)
	}
	return text
}
