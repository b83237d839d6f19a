package suite

import (
	"path"
	"regexp"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// fileName turns the name of a project into one that every file system takes for a
// folder, since results are kept under the name of their suite. A name that is one
// already comes back as it is, but for "time", under which ad hoc measurements are
// kept.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || r < 128 && isNameByte(byte(r)) {
			return r
		}
		return '-'
	}, name)
	name = strings.Trim(name[:min(len(name), perf.MaxFileName)], ".")
	if name == "" || name == adHocName || perf.IsDeviceName(name) {
		name = strings.TrimSuffix("suite-"+name, "-")
	}
	return name
}

// majorVersion matches the last element of the path of a Go module from version 2 on
// (Go Modules Reference, "Major version suffixes").
var majorVersion = regexp.MustCompile(`^v([2-9]|[1-9][0-9]+)$`)

// lastElement is the name that the go command gives to the program or the module at an
// import path: its last element that is not a version.
func lastElement(importPath string) string {
	dir, last := path.Split(importPath)
	if majorVersion.MatchString(last) && dir != "" {
		return path.Base(dir)
	}
	return path.Base(importPath)
}
