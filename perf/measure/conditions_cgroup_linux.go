package measure

import (
	"path"
	"strconv"
	"strings"
)

// A cgroupFolder is one cgroup as mounted.
type cgroupFolder struct {
	path    string
	version int
}

// cgroups returns the folders of the process's group under a controller, from the
// group itself up to the top that this process can see.
func (h factHost) cgroups(controller string) ([]cgroupFolder, error) {
	text, err := h.read("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	mounts, err := h.mounts()
	if err != nil {
		return nil, err
	}
	own, version := cgroupPath(text, controller)
	for _, m := range mounts {
		if !m.holds(controller, version) {
			continue
		}
		return h.upwards(m, own, version), nil
	}
	return nil, nil
}

// cgroupPath finds the process's group in /proc/self/cgroup. A line names the
// controllers of a version 1 hierarchy; the one without names is version 2, and
// has the controllers that are in no other.
func cgroupPath(text, controller string) (group string, version int) {
	version = 2
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		if commaListHolds(parts[1], controller) {
			return parts[2], 1
		}
		if parts[0] == "0" && parts[1] == "" {
			group = parts[2]
		}
	}
	return group, version
}

// commaListHolds says whether a word is one of a list, and not a part of one: cpu
// is no member of "cpuset,cpuacct".
func commaListHolds(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

// holds says whether a mount is the hierarchy of a controller. Systems in between
// mount both versions; the line of /proc/self/cgroup has decided which counts.
func (m factMount) holds(controller string, version int) bool {
	if version == 2 {
		return m.kind == "cgroup2"
	}
	return m.kind == "cgroup" && commaListHolds(m.super, controller)
}

// upwards lists a group and those above it. In a container without a cgroup
// namespace the group is named as the host names it, while only its own part of
// the hierarchy is mounted: the mount's root is what to take off.
func (h factHost) upwards(m factMount, group string, version int) []cgroupFolder {
	below := group
	if m.root != "/" {
		below = strings.TrimPrefix(group, m.root)
	}
	if strings.HasPrefix(below, "/..") || !h.exists(m.point+below) {
		below = "/" // a group outside of what is mounted here
	}
	var folders []cgroupFolder
	for p := path.Clean("/" + below); ; p = path.Dir(p) {
		folders = append(folders, cgroupFolder{path.Join(m.point, p), version})
		if p == "/" {
			return folders
		}
	}
}

// cpuListLength counts the CPUs of a list such as "0-3,8" (cpuset(7), "List
// format"); 0 if it is not one. No kernel numbers more than most.
func cpuListLength(list string) int {
	const most = 1 << 16
	n := 0
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		a, errA := strconv.Atoi(first)
		b, errB := strconv.Atoi(last)
		if errA != nil || errB != nil || a < 0 || b < a || b > most {
			return 0
		}
		n += b - a + 1
	}
	return n
}
