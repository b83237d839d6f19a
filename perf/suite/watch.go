package suite

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// What takes the place of these in the content of a watched file: a word that no other
// content has, and what makes the file pass or fail.
const (
	Nonce   = "$NONCE"
	Outcome = "$OUTCOME"
	Image   = "$IMAGE" // the image that the subject makes containers of; see [DefaultImage]
)

// FirmReload is the time of a reload below which as many are made as the tail of their
// times needs, however long that takes.
const FirmReload = 500 * time.Millisecond

// A Watch makes a workload one whose command watches a folder and runs again what is
// in it after each save. A run of it is a reload: a new content of the file is written
// outside of the folder and renamed in, and the time ends at the line with its result.
// Contents that pass and contents that fail alternate.
//
// Lines are recognised by how their message begins: at the start of the line, or
// behind ": ".
type Watch struct {
	// File is saved again and again; the command watches its folder, in which it is
	// alone. Staging is a folder outside of that one. Both lie below [Work].
	File, Staging string
	// Content is that of the file, with [Nonce] and [Outcome] in it. Passing and
	// Failing are what Outcome becomes; a content that fails must be as much work as
	// one that passes, or half of the times are those of something else.
	Content          string
	Passing, Failing string

	Ready      string   // begins the message that changes can be seen
	Named      string   // begins the message behind which the nonce of what is run stands
	Pass, Fail string   // begin the message with the result
	End        []string // begin the last message of a rerun
	Stages     []Stage
}

// A Stage is a part of a reload, and a metric of its workload. It lasts from the end
// of the one before it, the first from the save, to the first message that begins with
// one of Ends; the last one to the result, so that it has no Ends.
type Stage struct {
	Name string
	Ends []string
	// Absent marks a stage that subjects of the kind may have, and this one never
	// goes through.
	Absent bool
}

// Save returns a content of the file.
func (w Watch) Save(nonce, image string, pass bool) string {
	outcome := w.Failing
	if pass {
		outcome = w.Passing
	}
	return strings.NewReplacer(Nonce, nonce, Outcome, outcome, Image, image).Replace(w.Content)
}

// StageNames returns the names of all stages and of those that the subject never goes
// through.
func (w Watch) StageNames() (all, absent []string) {
	for _, s := range w.Stages {
		all = append(all, s.Name)
		if s.Absent {
			absent = append(absent, s.Name)
		}
	}
	return all, absent
}

// hasStage reports whether the subject goes through the stage called name.
func (w Watch) hasStage(name string) bool {
	return slices.ContainsFunc(w.Stages, func(s Stage) bool { return s.Name == name && !s.Absent })
}

// expand replaces [Work] in the paths.
func (w Watch) expand(work string) *Watch {
	w.File, w.Staging = expand(w.File, work), expand(w.Staging, work)
	return &w
}

// checkWatch looks at a workload that watches. A command before or after each run
// would have to wait for the end of the watching one, which does not come.
func (w Workload) checkWatch() error {
	if w.Watch == nil {
		return nil
	}
	if len(w.Prepare)+len(w.Conclude) > 0 || w.Memory > 0 || w.OneShot || w.Min > 0 || w.Items != nil || w.Tests != nil {
		return errors.New("a command that watches has no Prepare, Conclude, Memory, OneShot, Min, Items and Tests: how many reloads there are follows from what one takes")
	}
	if w.Timeout == 0 {
		return errors.New("a command that watches needs a Timeout: it may never say anything")
	}
	return w.Watch.check()
}

func (w Watch) check() error {
	folder := path.Dir(w.File)
	switch {
	case !belowWork(w.File) || !belowWork(w.Staging) || !belowWork(folder):
		return fmt.Errorf("the watched file %q and the folder %q must lie in folders below %s", w.File, w.Staging, Work)
	case w.Staging == folder || strings.HasPrefix(w.Staging, folder+"/"):
		return fmt.Errorf("the folder %q lies in the watched one, so that writing there would be seen", w.Staging)
	case !strings.Contains(w.Content, Nonce) || !strings.Contains(w.Content, Outcome) || w.Passing == w.Failing:
		return fmt.Errorf("the content of a watched file needs %s, and %s with two values, or a reload that did not happen would not be found out", Nonce, Outcome)
	}
	beginnings := slices.Concat([]string{w.Ready, w.Named, w.Pass, w.Fail}, w.End)
	if slices.Contains(beginnings, "") || len(w.End) == 0 {
		return errors.New("it does not say by which lines a watch is followed: fill in Ready, Named, Pass, Fail and End")
	}
	return w.checkStages()
}

func (w Watch) checkStages() error {
	last := len(w.Stages) - 1
	if last < 1 || w.Stages[0].Absent || w.Stages[last].Absent {
		return errors.New("a reload has two stages at least, to the line that a change was seen and to the result")
	}
	seen := map[string]bool{"wall": true}
	for i, s := range w.Stages {
		if seen[s.Name] || s.Name == "" {
			return fmt.Errorf("the stage %q has no name of its own", s.Name)
		}
		seen[s.Name] = true
		if ends := len(s.Ends) > 0 && !slices.Contains(s.Ends, ""); ends == (s.Absent || i == last) {
			return fmt.Errorf("the stage %q must say by which lines it ends, unless it is absent or the last", s.Name)
		}
	}
	return nil
}

// judgeable reports whether a workload has the metric of an objective, as far as that
// is known beforehand: of a reload, the whole and its stages are.
func (w Workload) judgeable(metric string) bool {
	return w.Watch == nil || metric == "wall" || w.Watch.hasStage(metric)
}
