package baseline

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// A NotFoundError says that a [Store] has no baseline of a name, and what it has
// instead. errors.Is finds [fs.ErrNotExist] in it.
type NotFoundError struct {
	Dir         string
	Suite       string
	Fingerprint string // empty where every machine was asked for
	Name        string
	Nearest     string   // the existing name that is most like Name; empty if none is like it
	Names       []string // the baselines of this suite and machine (of every machine, if no Fingerprint)
	Elsewhere   []string // the fingerprints under which this suite has a baseline of that name
	Suites      []string // the suites that have baselines
}

// Unwrap returns [fs.ErrNotExist].
func (e *NotFoundError) Unwrap() error { return fs.ErrNotExist }

func (e *NotFoundError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "no baseline %q of suite %q", e.Name, e.Suite)
	if e.Fingerprint != "" {
		fmt.Fprintf(&b, " for machine %s", e.Fingerprint)
	}
	fmt.Fprintf(&b, " in %s", e.Dir)
	if e.Nearest != "" {
		fmt.Fprintf(&b, "; did you mean %q?", e.Nearest)
	}
	switch {
	case len(e.Names) > 0:
		fmt.Fprintf(&b, "; there are: %s", strings.Join(e.Names, ", "))
	case len(e.Suites) > 0 && !slices.Contains(e.Suites, e.Suite):
		fmt.Fprintf(&b, "; the suites with baselines are: %s", strings.Join(e.Suites, ", "))
	case len(e.Suites) > 0:
		b.WriteString("; there is none of this machine")
	default:
		b.WriteString("; there is none at all")
	}
	if len(e.Elsewhere) > 0 {
		fmt.Fprintf(&b, "; other machines have it: %s (baseline:compare takes it with -acrossMachines, and then no time gates)", strings.Join(e.Elsewhere, ", "))
	}
	fmt.Fprintf(&b, "; make it with: go tool mage baseline:save %s", e.Name)
	return b.String()
}

// notFound describes what there is instead of a baseline.
func (s Store) notFound(suite, fingerprint, name string) error {
	e := &NotFoundError{Dir: s.Dir, Suite: suite, Fingerprint: fingerprint, Name: name}
	places, _ := s.places() // what cannot be listed is not there for this sentence
	for _, p := range places {
		e.Suites = append(e.Suites, p.suite)
		if p.suite != suite {
			continue
		}
		if fingerprint == "" || p.fingerprint == fingerprint {
			e.Names = append(e.Names, p.name)
		} else if p.name == name {
			e.Elsewhere = append(e.Elsewhere, p.fingerprint)
		}
	}
	slices.Sort(e.Names)
	e.Names, e.Suites = slices.Compact(e.Names), slices.Compact(e.Suites)
	e.Nearest = nearest(name, e.Names)
	return &perf.StatusError{Status: perf.ExitUsage, Err: e}
}

// nearest returns the one of names that is the fewest edits away from name. It returns
// nothing if those are more than two and more than a third of its letters: that is no
// slip of the hand any more.
func nearest(name string, names []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, n := range names {
		if d := perf.EditDistance(name, n); d < least {
			best, least = n, d
		}
	}
	return best
}
