package targets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/google/pprof/profile"

	"github.com/seanchatmangpt/clnrm-perf/perf/baseline"
	"github.com/seanchatmangpt/clnrm-perf/perf/calltree"
	"github.com/seanchatmangpt/clnrm-perf/perf/flamegraph"
	"github.com/seanchatmangpt/clnrm-perf/perf/profileio"
	"github.com/seanchatmangpt/clnrm-perf/perf/profiler"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
)

// keep writes a profile and prints it. The first of a run lies in its folder, others in
// folders of their own.
func (p *profiling) keep(rec *profiler.Recording, first bool) error {
	dir := p.dir
	if !first {
		dir = filepath.Join(dir, string(rec.Kind))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making the folder of a profile: %w", err)
		}
	}
	p.status.Clear()
	if n := rec.Report.Faulty; n > 0 {
		p.say("%d places in what %s wrote could not be read, the first: %v", n, rec.Tool, rec.Report.Faults[0])
	}
	view, err := look(rec.Profile, p.task.name)
	if err != nil {
		return err
	}
	view.Recording = rec
	paths, err := writeProfile(dir, p.task.name+" ("+string(rec.Kind)+")", rec.Profile)
	if err != nil {
		return err
	}
	err = report.Profile(p.out, view, p.style)
	err = errors.Join(err, report.ProfileFiles(p.err, paths))
	if p.task.open {
		err = errors.Join(err, showFile(paths[0]))
	}
	if p.task.strict && !rec.Sound() {
		err = errors.Join(err, fmt.Errorf("-strict: only %.0f %% of the stacks reach their root, and %.0f %% must", 100*rec.Quality.Rooted, 100*profiler.MinRooted))
	}
	return err
}

// look finds out what is in a profile.
func look(p *profile.Profile, name string) (report.ProfileView, error) {
	value, err := calltree.SampleIndex(p, "")
	if err != nil {
		return report.ProfileView{}, err
	}
	tree, err := calltree.FromProfile(p, value)
	if err != nil {
		return report.ProfileView{}, fmt.Errorf("the profile of %s: %w", name, err)
	}
	return report.ProfileView{Name: name, Tree: tree, Classes: tree.Classify(nil)}, nil
}

// writeProfile writes a profile in the three forms that other tools read: the picture
// comes first in paths.
func writeProfile(dir, title string, p *profile.Profile) (paths []string, err error) {
	value, err := calltree.SampleIndex(p, "")
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"flamegraph.svg", func(w io.Writer) error { return draw(w, title, p, value) }},
		{"profile.pb.gz", p.Write},
		{"stacks.folded", func(w io.Writer) error {
			return profileio.WriteFoldedProfile(w, p, value, profileio.FoldOptions{Kernel: true})
		}},
	} {
		path := filepath.Join(dir, f.name)
		if err := writeWhole(path, f.write); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// writeWhole writes a file by a temporary one, so that a failure leaves what was there. A
// device or a pipe is written to: it must not become a file.
func writeWhole(path string, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().IsRegular() || info.IsDir() {
		return baseline.WriteFile(path, b.Bytes(), 0o644)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	_, err = f.Write(b.Bytes())
	return errors.Join(err, f.Close())
}

// draw draws a profile. Where it is of several programs, each is a root.
func draw(w io.Writer, title string, p *profile.Profile, value int) error {
	tree, err := calltree.FromProfile(p, value, programs(p)...)
	if err != nil {
		return err
	}
	return flamegraph.Write(w, tree, flamegraph.Options{Title: title, Classes: tree.Classify(nil)})
}

// programs is the label that tells programs apart, if there are several.
func programs(p *profile.Profile) []string {
	names := map[string]bool{}
	for _, s := range p.Sample {
		for _, c := range s.Label["comm"] {
			names[c] = true
		}
	}
	if len(names) > 1 {
		return []string{"comm"}
	}
	return nil
}

// showFile shows a file in the program that the user has for its kind.
func showFile(path string) error {
	args := map[string][]string{"darwin": {"open"}, "windows": {"rundll32", "url.dll,FileProtocolHandler"}}[runtime.GOOS]
	if args == nil {
		args = []string{"xdg-open"}
	}
	if err := exec.Command(args[0], append(args[1:], path)...).Run(); err != nil {
		return fmt.Errorf("-open: showing %s: %w", path, err)
	}
	return nil
}
