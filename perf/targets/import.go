package targets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/baseline"
	"github.com/seanchatmangpt/clnrm-perf/perf/benchio"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
)

// importSuite is the suite of imported results that were given none.
const importSuite = "import"

// importOptions are the flags of the target import.
type importOptions struct {
	files, suite, better, commit, report string
	json                                 bool
}

// imported is the target import.
func imported(ctx context.Context, o importOptions) error {
	ctx, stop := guarded(ctx)
	defer stop()
	paths, directions, files, err := o.parse()
	if err != nil {
		return bare(err)
	}
	r, err := openRun(stdConsole())
	if err != nil {
		return bare(err)
	}
	r.files = files
	return bare(r.finish(ctx, r.read(ctx, o, paths, directions), o.json, report.Result))
}

// parse reads the flags, and looks whether the files are there.
func (o *importOptions) parse() (paths []string, directions map[string]perf.Better, files []reportFile, err error) {
	o.suite = cmp.Or(o.suite, importSuite)
	if err := baseline.CheckName("suite", o.suite); err != nil {
		return nil, nil, nil, err
	}
	for path := range strings.SplitSeq(o.files, ",") {
		if path = strings.TrimSpace(path); path == "" {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			return nil, nil, nil, perf.Usagef("importing %s: %w", path, err)
		}
		paths = append(paths, path)
	}
	if len(paths) == 0 {
		return nil, nil, nil, perf.Usagef(`name a file, or several with commas between them: mage import "old.txt,target/criterion"`)
	}
	if directions, err = parseDirections(o.better); err != nil {
		return nil, nil, nil, err
	}
	files, err = parseReports(o.report)
	return paths, directions, files, err
}

// parseDirections reads the flag -better: UNIT=lower|higher,...
func parseDirections(flag string) (map[string]perf.Better, error) {
	out := map[string]perf.Better{}
	for item := range strings.SplitSeq(flag, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		at := strings.LastIndexByte(item, '=')
		better := perf.Better(item[at+1:])
		if at < 1 || better != perf.Lower && better != perf.Higher {
			return nil, perf.Usagef("-better: %q is not UNIT=lower or UNIT=higher", item)
		}
		out[item[:at]] = better
	}
	return out, nil
}

// counted is "1 place", "2 places".
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// maxShownFaults is how many faults are shown; the first ones say what is wrong.
const maxShownFaults = 20

// read reads all files into the result. Faults are shown and kept as warnings, and make
// the run incomplete: what is missing may be what mattered, so it cannot become a
// baseline. Keys that are unknown here are shown, kept and an error as well, but the run
// is complete: every value that is known was read, and a tool that has added a key must
// not shut out who waits for this one to learn it.
func (r *run) read(ctx context.Context, o importOptions, paths []string, directions map[string]perf.Better) error {
	r.result.Suite, r.result.Mode = o.suite, perf.ModeImport
	r.result.Machine, _ = measure.Machine(ctx) // its state now says nothing of what was measured
	r.result.Subject.Name = strings.Join(paths, ", ")
	var all benchio.Run
	faults, unknown := 0, 0
	for i, path := range paths {
		im, err := readUntil(ctx, path, benchio.Options{Better: directions})
		if err != nil {
			return err
		}
		faults += len(im.Faults) + im.MoreFaults
		unknown += len(im.UnknownKeys)
		r.showFaults(im.Faults, im.MoreFaults)
		r.showFaults(im.UnknownKeys, 0)
		next, err := pickRun(im, path, o.commit, r.note)
		if err != nil {
			return err
		}
		if i == 0 {
			all = next
			continue
		}
		joined, errs := benchio.Join(all, next)
		for _, err := range errs {
			faults++
			r.note(err.Error())
		}
		all = joined
	}
	r.take(all)
	r.result.Complete = faults == 0
	return importError(faults, unknown)
}

// importError says what was not read, and what can be done with the rest, which is kept.
func importError(faults, unknown int) error {
	switch {
	case faults > 0:
		return fmt.Errorf("%s in what was imported could not be read; the rest is kept as a run, and cannot be saved as a baseline", counted(faults+unknown, "place"))
	case unknown > 0:
		return fmt.Errorf("%s in what was imported: what stands there was left out; the rest is kept as a run, and can be saved as a baseline", counted(unknown, "unknown key"))
	}
	return nil
}

// note tells the reader and keeps it with the run.
func (r *run) note(text string) {
	r.status.Clear()
	_ = report.Note(r.err, text)
	r.result.Warnings = append(r.result.Warnings, perf.Warning{Kind: perf.WarnNotMeasured, Text: text})
}

// showFaults tells what is wrong with a file, and where. more of them were not kept.
func (r *run) showFaults(faults []*perf.SyntaxError, more int) {
	for i, f := range faults {
		if i == maxShownFaults {
			r.note(fmt.Sprintf("and %d more like these", len(faults)-i+more))
			return
		}
		r.note(f.Error())
	}
}

// take fills the result with what was read.
func (r *run) take(all benchio.Run) {
	r.result.Workloads = all.Workloads
	r.result.Warnings = append(r.result.Warnings, all.Warnings...)
	r.result.Subject.Commit = all.Commit
	if !all.Created.IsZero() {
		// The run is dated by the import, since the newest run is the one that was asked
		// for last.
		r.result.Warnings = append(r.result.Warnings, perf.Warning{Kind: perf.WarnEnvironment, Text: "it was measured on " + all.Created.Format("2006-01-02")})
	}
	if other, differs := elsewhere(r.result.Machine, all.Machine); differs {
		r.result.Machine = other
	}
	locate(".", r.result.Workloads)
	experiment.SummariseImported(r.result)
}

// elsewhere is the machine that a file names, if it is not this one. A result that does
// not say is taken for one of this machine.
func elsewhere(here, said perf.Machine) (perf.Machine, bool) {
	if (said.OS == "" || said.OS == here.OS) && (said.Arch == "" || said.Arch == here.Arch) && sameCPU(here.CPU, said.CPU) {
		return here, false
	}
	said.Toolchain = map[string]string{}
	said.Fingerprint = said.ComputeFingerprint()
	return said, true
}

// sameCPU compares names of a CPU, of which some have its clock rate behind them.
func sameCPU(here, said string) bool {
	name := func(s string) string {
		s, _, _ = strings.Cut(s, " @ ")
		return strings.Join(strings.Fields(s), " ")
	}
	return said == "" || name(here) == name(said)
}

// readUntil is readForeign, given up when the context ends: opening a pipe without a
// writer waits, and a device or a dead network disk may never come to an end. What still
// reads then ends with the process, which the interruption is about to end.
func readUntil(ctx context.Context, path string, o benchio.Options) (im *benchio.Import, err error) {
	read := make(chan struct{})
	var got *benchio.Import
	var failed error
	go func() {
		defer close(read)
		got, failed = readForeign(path, o)
	}()
	select {
	case <-read:
		return got, failed
	case <-ctx.Done():
		return nil, fmt.Errorf("importing %s: %w", path, ctx.Err())
	}
}

// readForeign reads one file, or Criterion's tree.
func readForeign(path string, o benchio.Options) (*benchio.Import, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("importing: %w", err)
	}
	if info.IsDir() {
		if tree := filepath.Join(path, "criterion"); exists(tree) {
			path = tree
		}
		return benchio.ReadCriterion(os.DirFS(path), filepath.ToSlash(path), o)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("importing: %w", err)
	}
	im, err := benchio.Read(f, path, o)
	return im, errors.Join(err, f.Close())
}

// pickRun is the run of a file that is taken: its newest or, of a history, that of the
// commit that was asked for.
func pickRun(im *benchio.Import, path, commit string, note func(string)) (benchio.Run, error) {
	if len(im.Runs) == 0 {
		return benchio.Run{}, nil // the faults say why
	}
	if commit != "" {
		for _, run := range slices.Backward(im.Runs) {
			if strings.HasPrefix(run.Commit, commit) {
				return run, nil
			}
		}
		return benchio.Run{}, perf.Usagef("-commit=%s: %s has no result of such a commit; its newest is of %s", commit, path, cmp.Or(im.Runs[len(im.Runs)-1].Commit, "none that it names"))
	}
	newest := im.Runs[len(im.Runs)-1]
	if n := len(im.Runs) - 1; n > 0 {
		note(fmt.Sprintf("%s holds results of %d commits: taking the newest, %.12s; -commit=COMMIT takes another", path, n+1, newest.Commit))
	}
	return newest, nil
}
