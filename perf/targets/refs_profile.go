package targets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/pprof/profile"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/calltree"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/flamegraph"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/profiler"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
)

// What -profile spends: about how long the runs of one side take together, and how many
// functions the result names.
const (
	profiledTime = 5 * time.Second
	keptMovers   = 8
)

// profileSlower records both sides of what is SLOWER, when all verdicts are there: a run
// that is watched takes longer, so none that counts is. What cannot be recorded is a
// warning, and changes no verdict.
func (r *run) profileSlower(ctx context.Context, groups [][]experiment.Pairing) {
	done := map[string]bool{}
	for i := range r.result.Comparisons {
		c := &r.result.Comparisons[i]
		if !c.Gate || c.Verdict != perf.Slower || done[c.Workload] || ctx.Err() != nil {
			continue
		}
		done[c.Workload] = true // one metric of a workload is enough to ask where it went
		for _, pairing := range slices.Concat(groups...) {
			if pairing.Workload != c.Workload {
				continue
			}
			var err error
			if c.Profile, err = r.profilePair(ctx, pairing, c); err != nil {
				r.warnProfile(c.Workload, err)
			}
		}
	}
}

func (r *run) warnProfile(workload string, err error) {
	r.result.Warnings = append(r.result.Warnings, perf.Warning{Kind: perf.WarnNotMeasured, Text: fmt.Sprintf("-profile: where %s lost its time is not known: %v", workload, err)})
}

// profilePair records both sides of one comparison.
func (r *run) profilePair(ctx context.Context, p experiment.Pairing, c *perf.Comparison) (*perf.ProfileDiff, error) {
	if p.Old.Record == nil || p.New.Record == nil {
		return nil, errors.New("a run of it is no command that ends")
	}
	kind := r.kindFor(c)
	var recordings [2]*profiler.Recording
	for i, arm := range []experiment.Arm{p.Old, p.New} {
		r.status.Announce(fmt.Sprintf("%s is SLOWER: recording a profile (%s) of %s", p.Workload, kind, arm.Ref))
		o := profiler.Options{Dir: r.space.Dir, Repeat: r.repeats(c.Workload), Note: r.status.Announce}
		err := arm.Record(ctx, func(ctx context.Context, m measure.Command) (err error) {
			recordings[i], err = recorders[kind](ctx, profiler.Command{Args: m.Args, Dir: m.Dir, Env: m.Env}, o)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", arm.Ref, err)
		}
		if rec := recordings[i]; !rec.Sound() {
			r.warnProfile(p.Workload, fmt.Errorf("only %.0f %% of the stacks of %s reach their root, so callers in the picture cannot be believed", 100*rec.Quality.Rooted, arm.Ref))
		}
	}
	return r.keepPair(p.Workload, recordings)
}

// kindFor chooses the profile that shows what a metric is about: allocations by the heap,
// the wall time of what mostly waits off the CPU, and all else on it.
func (r *run) kindFor(c *perf.Comparison) profiler.Kind {
	switch {
	case c.Unit == "B/op" || c.Unit == "allocs/op":
		return profiler.KindHeap
	case c.Metric == perf.Wall.Name:
		seen := usage{wall: r.medianOf(c.Workload, perf.Wall), cpu: r.medianOf(c.Workload, perf.CPU), delay: r.medianOf(c.Workload, perf.RunDelay)}
		if seen.waiting() > seen.wall/2 {
			return profiler.KindOffCPU
		}
	}
	return profiler.KindCPU
}

// medianOf is what the new side of a workload took of a metric; 0 where that is not known.
func (r *run) medianOf(workload string, m perf.Metric) float64 {
	for _, c := range r.result.Comparisons {
		if c.Workload == workload && c.Metric == m.Name && c.New.Center != nil {
			return *c.New.Center
		}
	}
	return 0
}

// repeats is how often a command is run for one profile.
func (r *run) repeats(workload string) int {
	wall := r.medianOf(workload, perf.Wall)
	if wall == 0 {
		return 1
	}
	return max(1, min(maxRepeats, int(profiledTime.Seconds()/wall)))
}

// keepPair writes both profiles and their difference beside the result. A side that was
// run more often is brought to the runs of the other: the difference is that of one run.
func (r *run) keepPair(workload string, recs [2]*profiler.Recording) (*perf.ProfileDiff, error) {
	name := filepath.Join("profiles", perf.FileName(workload))
	dir := filepath.Join(r.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of profiles: %w", err)
	}
	runs := min(recs[0].Runs, recs[1].Runs)
	var trees [2]*calltree.Tree
	var paths []string
	for i, rec := range recs {
		if rec.Runs > runs {
			rec.Profile.Scale(float64(runs) / float64(rec.Runs))
		}
		path := filepath.Join(dir, sideNames[i]+".pb.gz")
		if err := writeWhole(path, rec.Profile.Write); err != nil {
			return nil, err
		}
		var err error
		if trees[i], err = treeOf(rec.Profile); err != nil {
			return nil, fmt.Errorf("the profile of the %s side: %w", sideNames[i], err)
		}
		paths = append(paths, path)
	}
	d, err := calltree.Diff(trees[0], trees[1], calltree.DiffOptions{KeepWeights: true})
	if err != nil {
		return nil, err
	}
	picture := filepath.Join(dir, "diff.svg")
	title := fmt.Sprintf("%s: old against new (%s)", workload, recs[1].Kind)
	if err := writeWhole(picture, func(w io.Writer) error { return flamegraph.WriteDiff(w, d, flamegraph.Options{Title: title}) }); err != nil {
		return nil, err
	}
	r.status.Clear()
	if err := report.ProfileFiles(r.err, append([]string{picture}, paths...)); err != nil {
		return nil, err
	}
	inResult := func(file string) string { return filepath.ToSlash(filepath.Join(name, file)) }
	out := &perf.ProfileDiff{Kind: string(recs[1].Kind), Old: inResult("old.pb.gz"), New: inResult("new.pb.gz"), Diff: inResult("diff.svg"), Runs: runs}
	fillMovers(out, d, trees)
	return out, nil
}

// fillMovers fills in what a run weighs and where that changed, in base units.
func fillMovers(out *perf.ProfileDiff, d *calltree.Difference, trees [2]*calltree.Tree) {
	unit, factor := baseUnit(d.Unit.Unit)
	factor /= float64(out.Runs)
	out.Unit = unit
	out.OldWeight, out.NewWeight = factor*float64(trees[0].Total()), factor*float64(trees[1].Total())
	for _, m := range d.Movers() {
		if len(out.Movers) == keptMovers {
			break
		}
		out.Movers = append(out.Movers, perf.Mover{Name: m.Name, Flat: factor * m.DeltaFlat, Cum: factor * m.DeltaCum})
	}
}

// baseUnit is the base unit of a unit of pprof, and how much of it one of those is.
func baseUnit(unit string) (perf.Unit, float64) {
	switch unit {
	case "nanoseconds":
		return perf.Second, 1e-9
	case "microseconds":
		return perf.Second, 1e-6
	case "milliseconds":
		return perf.Second, 1e-3
	case "seconds":
		return perf.Second, 1
	case "bytes":
		return perf.Byte, 1
	}
	return perf.Count, 1
}

// treeOf is the call tree of the default sample type of a profile. Threads that had nothing
// to do say nothing about what got slower.
func treeOf(p *profile.Profile) (*calltree.Tree, error) {
	value, err := calltree.SampleIndex(p, "")
	if err != nil {
		return nil, err
	}
	t, err := calltree.FromProfile(p, value)
	if err != nil {
		return nil, err
	}
	if busy := t.Busy(t.Classify(nil)); busy.Total() > 0 {
		return busy, nil
	}
	return t, nil
}
