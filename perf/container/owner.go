package container

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The labels of everything that a run makes, containers and images alike. They are the
// handle by which a janitor and the next run find what is left, so that none of them
// is ever renamed.
const (
	labelSpace = "io.github.seanchatmangpt.clnrm-perf."

	LabelTool  = labelSpace + "tool"  // [ToolName], for a person who looks at docker ps
	LabelRun   = labelSpace + "run"   // the id of the run
	LabelOwner = labelSpace + "owner" // [Owner.String]
)

// ToolName is the value of [LabelTool], and the first part of the name of each image
// that a run makes.
const ToolName = "clnrm-perf"

// An Owner is the process that a run lives in, named so that it can be told years
// later, from another process, whether it is still there: an id alone is in use again
// after a while, and several hosts may share one engine.
type Owner struct {
	// Host tells this host from others across restarts: a digest, as neither the
	// machine's id nor its name is anybody else's business. Empty: not known.
	Host string
	// Boot is one start of the host. On Linux it is a digest of the kernel's boot id,
	// which all containers of the host share with it. Empty where a Start needs no such
	// help.
	Boot string
	// Space is the process id namespace in which PID counts (Linux), else 0.
	Space uint64
	PID   int
	// Start is when the process began, in units of the system: clock ticks since the
	// start of the host (Linux), microseconds since 1970 (macOS), 100 ns since 1601
	// (Windows). It is compared for equality only. 0: not known.
	Start uint64
	// Began is about when the run began, to the second, by the clock of its host.
	Began time.Time
	// Run is the id of the run.
	Run string
}

// ownerForm is the version of the text form. A form that this version does not know is
// nobody's leftover.
const ownerForm = "o1"

// runID is what a run id may consist of, because it becomes a part of an image's tag.
var runID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,47}$`)

// NewOwner describes this process as the owner of a run. Where the system does not tell
// who a process is, the fields are empty, and others will take the run to be alive.
func NewOwner(run string) (Owner, error) {
	if !runID.MatchString(run) {
		return Owner{}, fmt.Errorf("run id %q: at most 48 letters, digits, dots and hyphens, so that it can be part of an image's tag", run)
	}
	return thisHost().owner(run), nil
}

// String is the value of [LabelOwner]: at most 128 bytes of a-z, A-Z, 0-9, '_', '.' and
// '-', which an image's tag may hold too. [ParseOwner] reads it.
func (o Owner) String() string {
	fields := []string{ownerForm, orDash(o.Host), orDash(o.Boot), strconv.FormatUint(o.Space, 36), strconv.Itoa(o.PID),
		strconv.FormatUint(o.Start, 36), strconv.FormatInt(o.Began.Unix(), 36), o.Run}
	return strings.Join(fields, "_")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// ParseOwner reads what [Owner.String] wrote.
func ParseOwner(s string) (Owner, error) {
	f := strings.Split(s, "_")
	if len(f) != 8 || f[0] != ownerForm {
		return Owner{}, fmt.Errorf("owner %q: not of the form %s_HOST_BOOT_SPACE_PID_START_BEGAN_RUN, which this version writes", s, ownerForm)
	}
	o := Owner{Host: strings.TrimPrefix(f[1], "-"), Boot: strings.TrimPrefix(f[2], "-"), Run: f[7]}
	var errs [4]error
	o.Space, errs[0] = strconv.ParseUint(f[3], 36, 64)
	o.PID, errs[1] = strconv.Atoi(f[4])
	o.Start, errs[2] = strconv.ParseUint(f[5], 36, 64)
	began, err := strconv.ParseInt(f[6], 36, 64)
	o.Began, errs[3] = time.Unix(began, 0), err
	if err := errors.Join(errs[:]...); err != nil {
		return Owner{}, fmt.Errorf("owner %q: %w", s, err)
	}
	if o.PID <= 0 || !runID.MatchString(o.Run) {
		return Owner{}, fmt.Errorf("owner %q: no process id or no run id", s)
	}
	return o, nil
}

// Labels mark a container or an image as made by the run.
func (o Owner) Labels() map[string]string {
	return map[string]string{LabelTool: ToolName, LabelRun: o.Run, LabelOwner: o.String()}
}

// Image is the reference that this run, and no other, gives to the image called name,
// such as "probe": clnrm-perf/probe:OWNER. Images are addressed by their content, so
// that two runs may share one; each holds it by its own tag, and to remove a tag takes
// nothing away from the others. A container that is made from the reference says in
// every event, by its image, whose it is.
func (o Owner) Image(name string) string { return ToolName + "/" + name + ":" + o.String() }

// imageOwner reads the owner out of a reference that [Owner.Image] made. ok is false
// for every other reference. Podman puts localhost/ in front of the name.
func imageOwner(ref string) (o Owner, ok bool) {
	repository, tag, found := strings.Cut(strings.TrimPrefix(ref, "localhost/"), ":")
	if !found || !strings.HasPrefix(repository, ToolName+"/") {
		return Owner{}, false
	}
	o, err := ParseOwner(tag)
	return o, err == nil
}

// identity shortens what names a host or a start of it to what a label can carry, and
// keeps the name to itself.
func identity(s string) string {
	sum := sha256.Sum256([]byte(ToolName + " " + s))
	return hex.EncodeToString(sum[:6])
}

// A Liveness is what one host can say of an [Owner].
type Liveness int

// What is known of an owner. Only what is Dead may be cleaned up after.
const (
	Unclear Liveness = iota // taken to be alive
	Alive
	Dead
	Elsewhere // of another host
)

func (l Liveness) String() string {
	switch l {
	case Alive:
		return "alive"
	case Dead:
		return "dead"
	case Elsewhere:
		return "of another host"
	}
	return "unclear"
}

// Liveness says whether the owner is still there, as far as this host can tell, with a
// sentence that says why.
func (o Owner) Liveness() (Liveness, string) { return thisHost().judge(o) }

// hostView is how a host knows itself and its processes; see owner_linux.go and its
// siblings. The funcs are fields so that the rule can be held against hosts that no
// test runs on.
type hostView struct {
	id, boot string    // as in Owner
	booted   time.Time // zero: not known
	space    uint64
	pid      int
	start    uint64
	// process looks for a process of this host's own space. start is 0 where it cannot
	// be read.
	process func(pid int) (start uint64, exists bool)
	// inSpaces reports whether a process has that id in some space below this one; it is
	// nil where those cannot be seen completely.
	inSpaces func(pid int) (found bool, err error)
}

func (h hostView) owner(run string) Owner {
	return Owner{Host: h.id, Boot: h.boot, Space: h.space, PID: h.pid, Start: h.start, Began: time.Now().Truncate(time.Second), Run: run}
}

// bootSlack is how far the time of a start may be off: the kernel reckons it back from
// a clock that is set meanwhile.
const bootSlack = time.Minute

// judge is the rule. Where anything is in doubt the owner lives: what is left costs
// some memory until somebody looks, what is taken away costs a run.
func (h hostView) judge(o Owner) (Liveness, string) {
	if o.Boot != h.boot {
		return h.judgeBoot(o)
	}
	// Without a boot id the host must be the same; with one it is: a container has a
	// host name of its own, and the kernel of the host.
	if h.boot == "" && (o.Host == "" || o.Host != h.id) {
		return Elsewhere, "made on another host"
	}
	if o.Space != h.space {
		return h.judgeSpace(o)
	}
	start, exists := h.process(o.PID)
	switch {
	case !exists:
		return Dead, fmt.Sprintf("its process %d is gone", o.PID)
	case start == 0 || o.Start == 0:
		return Unclear, fmt.Sprintf("there is a process %d, and this system does not tell since when", o.PID)
	case start != o.Start:
		return Dead, fmt.Sprintf("its process %d is gone, and the id in use again", o.PID)
	}
	return Alive, fmt.Sprintf("its process %d runs", o.PID)
}

// judgeBoot judges an owner of another start: of this host before it was restarted, or
// of another host. Hosts that were cloned have one id; but nothing of this host's own
// is younger than the start of this host and bears another start's mark.
func (h hostView) judgeBoot(o Owner) (Liveness, string) {
	switch {
	case o.Host == "" || o.Host != h.id:
		return Elsewhere, "made on another host"
	case h.booted.IsZero() || o.Boot == "" || h.boot == "":
		return Unclear, "made on this host, perhaps before it was restarted: when that was is not known"
	case o.Began.After(h.booted.Add(-bootSlack)):
		return Elsewhere, "made on another host that has the identity of this one"
	}
	return Dead, "this host was restarted since"
}

// judgeSpace judges an owner on this kernel whose process id counts in another
// namespace: one of the two runs in a container. From the namespace of the host all
// processes can be seen, and which ids they have in their own.
func (h hostView) judgeSpace(o Owner) (Liveness, string) {
	unclear := fmt.Sprintf("made in another container of this host, or outside this one, whose process %d cannot be seen from here", o.PID)
	if h.inSpaces == nil || o.Space == 0 || h.space == 0 {
		return Unclear, unclear
	}
	found, err := h.inSpaces(o.PID)
	switch {
	case err != nil:
		return Unclear, unclear + ": " + err.Error()
	case found:
		return Unclear, fmt.Sprintf("made in a container of this host; there is one with a process %d", o.PID)
	}
	return Dead, fmt.Sprintf("made in a container of this host, none of which has a process %d now", o.PID)
}
