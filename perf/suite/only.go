package suite

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Select returns what is left of the suite when only the workloads that list names
// are wanted, and the workloads that those need. list is a comma-separated list of
// unique prefixes. wanted tells which workloads were named, as against those that
// run because another needs them. An empty list selects all.
func (s Suite) Select(list string) (sub Suite, wanted map[string]bool, err error) {
	wanted = map[string]bool{}
	if strings.TrimSpace(list) == "" {
		for _, w := range s.Workloads {
			wanted[w.Name] = true
		}
		return s, wanted, nil
	}
	for item := range strings.SplitSeq(list, ",") {
		name, err := Resolve("workload", strings.TrimSpace(item), s.Names())
		if err != nil {
			return Suite{}, nil, err
		}
		wanted[name] = true
	}
	return s.restrict(s.closure(wanted), wanted), wanted, nil
}

// Reloads is the list, as [Suite.Select] takes it, of the workloads that watch.
func (s Suite) Reloads() string {
	var names []string
	for _, w := range s.Workloads {
		if w.Watch != nil {
			names = append(names, w.Name)
		}
	}
	return strings.Join(names, ",")
}

// closure adds to the wanted names those that they need. Needs point backwards, so
// one pass from the end finds all.
func (s Suite) closure(wanted map[string]bool) map[string]bool {
	keep := map[string]bool{}
	for _, w := range slices.Backward(s.Workloads) {
		if wanted[w.Name] || keep[w.Name] {
			keep[w.Name] = true
			for _, n := range w.Needs {
				keep[n] = true
			}
		}
	}
	return keep
}

func (s Suite) restrict(keep, wanted map[string]bool) Suite {
	s.Workloads = slices.DeleteFunc(slices.Clone(s.Workloads), func(w Workload) bool { return !keep[w.Name] })
	s.Objectives = slices.DeleteFunc(slices.Clone(s.Objectives), func(o Objective) bool { return !wanted[o.Workload] })
	return s
}

// Set changes limits of the suite's objectives by a list as in
// "cli startup=1s/2s,memory=50MB": NAME=TARGET[/CRITICAL], where one value sets
// both. A name may be a unique prefix. No objective may be set twice: one of the two
// limits would be ignored.
func (s Suite) Set(list string) (Suite, error) {
	s.Objectives = slices.Clone(s.Objectives)
	if strings.TrimSpace(list) == "" {
		return s, nil
	}
	set := map[string]bool{}
	for item := range strings.SplitSeq(list, ",") {
		if err := s.setOne(strings.TrimSpace(item), set); err != nil {
			return Suite{}, err
		}
	}
	return s, nil
}

// SetFlag is the [perf.Source] of limits that [Suite.Set] has changed.
const SetFlag = "-set"

// setOne sets the limits of one objective; set names those that were set before.
func (s Suite) setOne(item string, set map[string]bool) error {
	name, limits, ok := strings.Cut(item, "=")
	if !ok {
		return perf.Usagef("-set: %q is not of the form NAME=TARGET[/CRITICAL], as in 'cli startup=1s/2s'", item)
	}
	name, err := Resolve("objective", strings.TrimSpace(name), s.objectiveNames())
	if err != nil {
		return err
	}
	if set[name] {
		return perf.Usagef("-set: objective %q is set twice: give its limits once", name)
	}
	set[name] = true
	i := slices.IndexFunc(s.Objectives, func(o Objective) bool { return o.Name == name })
	o := &s.Objectives[i]
	o.Source = perf.Source{File: SetFlag}
	if o.Target, o.Critical, err = parseLimits(limits, o.Metric.Unit); err != nil {
		return perf.Usagef("-set: objective %q: %w", name, err)
	}
	if err := o.checkLimits(); err != nil {
		return perf.Usagef("-set: objective %q: %w", name, err)
	}
	return nil
}

// parseLimits reads TARGET[/CRITICAL]. The slash of a rate, as in 100/s, belongs to
// its unit.
func parseLimits(limits string, unit perf.Unit) (target, critical float64, err error) {
	parts := strings.Split(limits, "/")
	if typed(unit) == perf.PerSecond {
		parts = strings.Split(strings.ReplaceAll(limits, "/s", "\x00"), "/")
		for i := range parts {
			parts[i] = strings.ReplaceAll(parts[i], "\x00", "/s")
		}
	}
	if len(parts) > 2 {
		return 0, 0, fmt.Errorf("%q has more than TARGET/CRITICAL", limits)
	}
	values := make([]float64, len(parts))
	for i, p := range parts {
		v, u, err := perf.ParseQuantity(p)
		if err != nil {
			return 0, 0, err
		}
		if u != typed(unit) || v <= 0 {
			return 0, 0, fmt.Errorf("%q is not a value above zero such as %q", p, typed(unit).Format(1))
		}
		values[i] = v
	}
	return values[0], values[len(values)-1], nil
}

// typed is the unit in which a person types a limit: a number of cores and a ratio
// are plain numbers, and what is counted a second need not be named again.
func typed(unit perf.Unit) perf.Unit {
	switch {
	case unit == perf.Cores || unit == perf.Ratio:
		return perf.Count
	case unit.IsRate() && unit != perf.Byte+"/sec":
		return perf.PerSecond
	}
	return unit
}

func (s Suite) objectiveNames() []string {
	out := make([]string, len(s.Objectives))
	for i, o := range s.Objectives {
		out[i] = o.Name
	}
	return out
}

// Resolve finds the name that given is, or is the unique prefix of; case does not
// matter, unless two names differ in nothing else. Its error is a usage error that
// names the nearest match and all that exist; kind says in it what is looked for.
func Resolve(kind, given string, names []string) (string, error) {
	if slices.Contains(names, given) {
		return given, nil
	}
	if len(names) == 0 {
		return "", perf.Usagef("unknown %s %q: there is none here", kind, given)
	}
	if given == "" {
		return "", perf.Usagef("a name of %s is missing; there are: %s", kind, strings.Join(names, ", "))
	}
	found := matches(given, names)
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", perf.Usagef("unknown %s %q: did you mean %q? There are: %s", kind, given, nearest(given, names), strings.Join(names, ", "))
	}
	return "", perf.Usagef("%s %q is not unique, it begins each of: %s", kind, given, strings.Join(found, ", "))
}

// matches returns the names that given is but for case, or else those that it begins.
func matches(given string, names []string) []string {
	var equal, begun []string
	for _, n := range names {
		if strings.EqualFold(n, given) {
			equal = append(equal, n)
		}
		if strings.HasPrefix(strings.ToLower(n), strings.ToLower(given)) {
			begun = append(begun, n)
		}
	}
	if len(equal) > 0 {
		return equal
	}
	return begun
}

// nearest returns the name with the least edit distance to given, which may be a
// beginning with a slip in it: "bild" is near "build time", and not near "test".
func nearest(given string, names []string) string {
	return slices.MinFunc(names, func(a, b string) int {
		return cmp.Or(beginDistance(given, a)-beginDistance(given, b), perf.EditDistance(given, a)-perf.EditDistance(given, b))
	})
}

// beginDistance is the edit distance from given to the nearest beginning of name that
// is about as long.
func beginDistance(given, name string) int {
	runes, length := []rune(name), len([]rune(given))
	least := perf.EditDistance(given, name)
	for n := max(length-1, 1); n <= min(length+1, len(runes)); n++ {
		least = min(least, perf.EditDistance(given, string(runes[:n])))
	}
	return least
}
