package baseline

import (
	"errors"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// nameForm is what a name may look like: what every file system, every shell and git
// take as it is.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*$`)

// CheckName reports why name cannot be the name of a file on every system. The kind
// (baseline, suite, run) is for the sentence. The error carries [perf.ExitUsage].
func CheckName(kind, name string) error {
	switch {
	case name == "":
		return perf.Usagef("the name of the %s is empty", kind)
	case len(name) > perf.MaxFileName:
		return perf.Usagef("%q is too long for the name of a %s: %d bytes, and at most %d are allowed", name, kind, len(name), perf.MaxFileName)
	case strings.HasPrefix(name, "."):
		return perf.Usagef("%q cannot be the name of a %s: it begins with a dot", name, kind)
	case strings.HasSuffix(name, "."):
		return perf.Usagef("%q cannot be the name of a %s: Windows drops the dot at its end", name, kind)
	case !nameForm.MatchString(name):
		return perf.Usagef("%q cannot be the name of a %s: use letters (a-z), digits, '.', '_' and '-' only", name, kind)
	case perf.IsDeviceName(name):
		return perf.Usagef("%q cannot be the name of a %s: Windows keeps it for a device", name, kind)
	}
	return nil
}

// checkPlace checks the three names of which the path of a baseline is made.
func checkPlace(suite, fingerprint, name string) error {
	return errors.Join(CheckName("suite", suite), CheckName("machine", fingerprint), CheckName("baseline", name))
}

// checkCase refuses a name that differs from an existing one only in case: where file
// systems fold case, a checkout would hold only one of the two.
func (s Store) checkCase(suite, fingerprint, name string) error {
	places, _ := s.places() // what cannot be listed cannot clash, and is not what is being done
	for _, p := range places {
		here := p.suite == suite && p.fingerprint == fingerprint
		if here && p.name != name && strings.EqualFold(p.name, name) {
			return perf.Usagef("%q differs from the baseline %q in case alone, which macOS and Windows take for the same file; use that name or another one", name, p.name)
		}
		if p.suite != suite && strings.EqualFold(p.suite, suite) {
			return perf.Usagef("the suite %q differs from the suite %q in %s in case alone, which macOS and Windows take for the same folder; rename one", suite, p.suite, filepath.Clean(s.Dir))
		}
	}
	return nil
}
