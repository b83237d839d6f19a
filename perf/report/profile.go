package report

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/fatih/color"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/calltree"
	"github.com/seanchatmangpt/clnrm-perf/perf/profiler"
)

// A ProfileView is a recording with what was found out about it. A profile that was read
// from a file, and not recorded, has no Recording.
type ProfileView struct {
	Name      string // what was recorded
	Recording *profiler.Recording
	Tree      *calltree.Tree
	Classes   *calltree.Classification
}

// How much of a profile is printed: rows of the top table, and the share below which a
// frame of the hot path, or a class, says nothing.
const (
	topRows  = 15
	minShare = 0.01
)

// Profile prints the quality of a profile, its hot path, the functions with the greatest
// weight of their own, how deep its stacks are, and the classes of bottleneck.
func Profile(w io.Writer, v ProfileView, st Style) error {
	out := &writer{w: w}
	profileHead(out, v, st)
	t := v.Tree
	if v.Classes != nil {
		t = t.Busy(v.Classes)
	}
	if t.Total() == 0 {
		out.printf("\nIt waits on no thread of its own: what its goroutines wait for is in a profile of Go's runtime\n")
		return out.err
	}
	profileHotPath(out, t, st)
	profileTop(out, t, st)
	profileClasses(out, v, st)
	return out.err
}

// profileIdle says what is in the picture and in none of the tables.
func profileIdle(out *writer, v ProfileView) {
	if v.Classes == nil || v.Classes.Idle.Weight == 0 {
		return
	}
	idle := v.Classes.Idle
	out.printf("left out below: %s (%s) of threads that had nothing to do (%s)\n",
		weight(v.Tree.Unit, float64(idle.Weight)), shareOf(idle.Share), clean(idle.String()))
}

func profileHead(out *writer, v ProfileView, st Style) {
	t := v.Tree
	runs := ""
	if v.Recording != nil && v.Recording.Runs > 1 {
		runs = fmt.Sprintf(" in %d runs", v.Recording.Runs)
	}
	out.printf("%s\n", st.bold(fmt.Sprintf("%s: %s of %s%s", clean(v.Name), weight(t.Unit, float64(t.Total())), clean(t.Unit.Type), runs)))
	if r := v.Recording; r != nil {
		out.printf("recorded by %s; %s\n", clean(r.Tool), clean(r.Mode))
		out.printf("%s samples, %d lost; %.1f %% of the stacks reach their root; %.1f %% of the weight has no name\n",
			grouped(float64(r.Quality.Samples)), r.Quality.Lost, 100*r.Quality.Rooted, 100*r.Quality.Unknown)
		if waits := r.Report.Waits; waits.Preempted > 0 || waits.Open > 0 {
			out.printf("not in it: %s for which others had the CPU, and %d waits that did not end\n", perf.Second.Format(float64(waits.Preempted)/1e9), waits.Open)
		}
		for _, n := range r.Notes {
			out.printf("%s\n", st.faint(clean(n)))
		}
		for _, warning := range r.Warnings() {
			out.printf("%s\n", st.paint(wrap("WARNING: "+clean(warning)), color.FgYellow, color.Bold))
		}
	}
	profileIdle(out, v)
	d := t.Depth()
	out.printf("depth: median %d frames, deepest %d\n", d.Median, d.Max)
}

// weight prints a weight of a profile in a unit that a person reads.
func weight(u calltree.Unit, v float64) string {
	switch u.Unit {
	case "nanoseconds":
		return perf.Second.Format(v / 1e9)
	case "microseconds":
		return perf.Second.Format(v / 1e6)
	case "milliseconds":
		return perf.Second.Format(v / 1e3)
	case "seconds":
		return perf.Second.Format(v)
	case "bytes":
		return perf.Byte.Format(v)
	}
	return grouped(v)
}

// shareOf prints a share.
func shareOf(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

func profileHotPath(out *writer, t *calltree.Tree, st Style) {
	out.printf("\n%s\n", st.bold("Hot path"))
	for _, at := range t.HotPath(minShare) {
		n := t.Nodes[at]
		depth := min(int(n.Depth)-1, 24)
		out.printf("%8s  %s%s\n", shareOf(t.Share(n.Cum)), strings.Repeat(" ", depth), shorten(clean(t.Name(at)), maxText))
	}
}

func profileTop(out *writer, t *calltree.Tree, st Style) {
	all := t.Top()
	rows := &table{head: []string{"flat", "flat%", "cum", "cum%", "function"}, align: []align{right, right, right, right, left}}
	for _, e := range all[:min(len(all), topRows)] {
		if e.Flat == 0 {
			break
		}
		rows.add(weight(t.Unit, float64(e.Flat)), shareOf(t.Share(e.Flat)), weight(t.Unit, float64(e.Cum)), shareOf(t.Share(e.Cum)), e.Name)
	}
	out.printf("\n%s (%d of %d functions)\n", st.bold("Top"), len(rows.rows), len(all))
	out.table(rows, st)
}

func profileClasses(out *writer, v ProfileView, st Style) {
	if v.Classes == nil {
		return
	}
	rows := &table{head: []string{"share", "class of bottleneck", "mostly in"}, align: []align{right, left, left}}
	for _, s := range v.Classes.Shares {
		if s.Share >= minShare {
			rows.add(shareOf(s.Share), s.String(), strings.Join(s.Leaders, ", "))
		}
	}
	out.printf("\n%s\n", st.bold("Classes"))
	out.table(rows, st)
}

// ProfileDiff prints the functions whose weight changed most.
func ProfileDiff(w io.Writer, d *calltree.Difference, st Style) error {
	out := &writer{w: w}
	total := d.Total()
	out.printf("%s\n", st.bold(fmt.Sprintf("%s in the new profile; the old one counts %.4g times", weight(d.Unit, total), d.Scale)))
	rows := &table{head: []string{"flat", "of the total", "cum", "of the total", "function"}, align: []align{right, right, right, right, left}}
	movers := d.Movers()
	for _, m := range movers[:min(len(movers), topRows)] {
		rows.add(signed(d.Unit, m.DeltaFlat), signedShare(m.DeltaFlat/total), signed(d.Unit, m.DeltaCum), signedShare(m.DeltaCum/total), m.Name)
	}
	if len(movers) == 0 {
		out.printf("no function has changed\n")
		return out.err
	}
	out.printf("\n%s (%d of %d functions)\n", st.bold("Biggest movers"), len(rows.rows), len(movers))
	out.table(rows, st)
	return out.err
}

func signed(u calltree.Unit, v float64) string {
	if v < 0 {
		return "-" + weight(u, -v)
	}
	return "+" + weight(u, v)
}

func signedShare(v float64) string { return fmt.Sprintf("%+.1f %%", 100*v) }

// ProfileFiles says where the files of a profile lie.
func ProfileFiles(w io.Writer, paths []string) error {
	out := &writer{w: w}
	for _, p := range paths {
		out.printf("%s\n", filepath.ToSlash(p))
	}
	return out.err
}
