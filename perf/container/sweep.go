package container

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// The kinds of what a run leaves behind.
const (
	KindContainer = "container"
	KindImage     = "image"
)

// A Leftover is a container, or one name of an image, that a run made.
type Leftover struct {
	Kind   string // KindContainer, KindImage
	ID     string
	Name   string // empty for an image without one
	Run    string // empty: not known
	Reason string // why it was removed, or why it stays
	// Remedy is a command that removes it all the same; empty where the owner lives
	// and will do so.
	Remedy string
}

func (l Leftover) String() string {
	name := l.Name
	if name == "" {
		name = l.ID
	}
	s := fmt.Sprintf("%s %s: %s", l.Kind, name, l.Reason)
	if l.Remedy != "" {
		s += "; to remove it: " + l.Remedy
	}
	return s
}

// ref is what the engine calls it.
func (l Leftover) ref() string {
	if l.Kind == KindImage && l.Name != "" {
		return l.Name
	}
	return l.ID
}

// remedy is the command of a person who knows better.
func (l Leftover) remedy() string {
	if l.Kind == KindImage {
		return "docker rmi " + l.ref()
	}
	return "docker rm -fv " + l.ref()
}

// Swept says what a sweep did.
type Swept struct {
	Removed []Leftover
	Left    []Leftover
}

// Sweep removes what dead runs of this host have left on the engine: containers and
// names of images that carry the mark of this tool and of an owner that is dead. What
// belongs to a run that lives, that is of another host, or of which that cannot be told
// stays and is reported; what self made is neither touched nor reported. An image goes
// with its last name, and not while a container uses it.
//
// The error is that of the engine not answering. What could not be removed is in Left.
func Sweep(ctx context.Context, engine Engine, self Owner) (Swept, error) {
	return thisHost().sweep(ctx, engine, self)
}

func (h hostView) sweep(ctx context.Context, engine Engine, self Owner) (Swept, error) {
	marked, err := findMarked(ctx, engine)
	if err != nil {
		return Swept{}, fmt.Errorf("looking for what dead runs have left: %w", err)
	}
	var s Swept
	var dead []Leftover
	judged := map[string]verdict{} // an owner has many containers, and reading /proc for each would take a while
	for _, m := range marked {
		if m.known && m.owner.same(self) {
			continue
		}
		v, seen := judged[m.owner.String()]
		if !m.known {
			v = verdict{Unclear, "it does not say which run made it"}
		} else if !seen {
			v.life, v.why = h.judge(m.owner)
			judged[m.owner.String()] = v
		}
		l := m.Leftover
		l.Reason = v.because(m.owner.Run)
		if v.life == Dead {
			dead = append(dead, l)
			continue
		}
		if v.life != Alive {
			l.Remedy = l.remedy()
		}
		s.Left = append(s.Left, l)
	}
	removed, stuck, err := removeAll(ctx, engine, dead)
	s.Removed, s.Left = removed, append(s.Left, stuck...)
	if err != nil {
		return s, fmt.Errorf("removing what dead runs have left: %w", err)
	}
	return s, nil
}

// A verdict is what [Owner.Liveness] says.
type verdict struct {
	life Liveness
	why  string
}

func (v verdict) because(run string) string {
	if run == "" {
		return v.why
	}
	return fmt.Sprintf("run %s: %s", run, v.why)
}

// A mark is something of this tool's, with the owner that it names.
type mark struct {
	Leftover
	owner Owner
	known bool // there is an owner, in a form that this version reads
}

// findMarked lists everything of this tool's, containers first.
func findMarked(ctx context.Context, engine Engine) ([]mark, error) {
	containers, err := engine.Containers(ctx)
	if err != nil {
		return nil, err
	}
	images, err := engine.Images(ctx)
	if err != nil {
		return nil, err
	}
	var all []mark
	for _, c := range containers {
		m := mark{Leftover: Leftover{Kind: KindContainer, ID: c.ID, Name: c.Name}}
		if m.owner, m.known = markOf(c.Labels, creatorsName(ctx, engine, c)); m.known || c.Labels[LabelTool] != "" {
			m.Run = m.owner.Run
			all = append(all, m)
		}
	}
	for _, i := range images {
		all = append(all, imageMarks(i)...)
	}
	return all, nil
}

// markOf is the owner of a container: by its own label, or else by its image, which a
// subject was given to make containers from. A container has the labels of its image as
// well, so that a label alone is no proof that the container's creator set it; it is
// proof enough of who owns both.
func markOf(labels map[string]string, image string) (Owner, bool) {
	if o, err := ParseOwner(labels[LabelOwner]); err == nil {
		return o, true
	}
	return imageOwner(image)
}

// creatorsName is the image of a container as its creator named it. The list of an
// engine forgets that when the name is taken from the image; the container does not.
func creatorsName(ctx context.Context, engine Engine, c Container) string {
	if _, marked := c.Labels[LabelOwner]; marked || c.ImageName != c.Image {
		return c.ImageName
	}
	full, err := engine.Container(ctx, c.ID)
	if err != nil {
		return c.ImageName // it is being removed
	}
	return full.ImageName
}

// imageMarks are the names of an image that name an owner. Where an image bears only
// names that others gave it, these are not for us to take away. One without any name
// belongs to whom its label says.
func imageMarks(i Image) []mark {
	var marks []mark
	for _, name := range i.Names {
		if o, ok := imageOwner(name); ok {
			marks = append(marks, mark{Leftover{Kind: KindImage, ID: i.ID, Name: name, Run: o.Run}, o, true})
		}
	}
	if len(i.Names) == 0 && i.Labels[LabelTool] != "" {
		o, err := ParseOwner(i.Labels[LabelOwner])
		marks = append(marks, mark{Leftover{Kind: KindImage, ID: i.ID, Run: o.Run}, o, err == nil})
	}
	return marks
}

// removers is how many removals go on at once. On two cores four take as long as eight;
// an engine on a large machine has use for more.
const removers = 8

// removeAll removes the containers, and then the images, which cannot go before. What is
// not there any more counts as removed. err is that of ctx, or of an engine which
// stopped to answer.
func removeAll(ctx context.Context, engine Engine, list []Leftover) (removed, left []Leftover, err error) {
	for _, kind := range []string{KindContainer, KindImage} {
		var some []Leftover
		for _, l := range list {
			if l.Kind == kind {
				some = append(some, l)
			}
		}
		for i, e := range removeSome(ctx, engine, some) {
			l := some[i]
			if e == nil || errors.Is(e, ErrNotFound) {
				removed = append(removed, l)
				continue
			}
			if errors.Is(e, ErrUnreachable) || ctx.Err() != nil {
				err = e
			}
			l.Reason, l.Remedy = "it could not be removed: "+e.Error(), l.remedy()
			left = append(left, l)
		}
	}
	return removed, left, err
}

func removeSome(ctx context.Context, engine Engine, list []Leftover) []error {
	errs := make([]error, len(list))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(removers, len(list)) {
		wg.Go(func() {
			for i := range next {
				errs[i] = remove(ctx, engine, list[i])
			}
		})
	}
	for i := range list {
		next <- i
	}
	close(next)
	wg.Wait()
	return errs
}

func remove(ctx context.Context, engine Engine, l Leftover) error {
	if l.Kind == KindImage {
		return engine.RemoveImage(ctx, l.ref())
	}
	err := engine.Remove(ctx, l.ref())
	if errors.Is(err, ErrConflict) {
		return awaitRemoval(ctx, engine, l.ref(), err)
	}
	return err
}

const (
	// removalWait is how long a removal may take that somebody else has begun.
	removalWait = 5 * time.Second
	removalPoll = 50 * time.Millisecond
)

// awaitRemoval waits for the end of a removal that another run, a janitor or the
// engine itself has begun: the conflict that the engine has told of. It returns that
// one where the container stays.
func awaitRemoval(ctx context.Context, engine Engine, id string, conflict error) error {
	ctx, cancel := context.WithTimeout(ctx, removalWait)
	defer cancel()
	tick := time.NewTicker(removalPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return conflict
		case <-tick.C:
		}
		if _, err := engine.Container(ctx, id); errors.Is(err, ErrNotFound) {
			return nil
		}
	}
}

const (
	// runPause is between two looks at what a run has left, of which there are
	// runRounds at most.
	runPause  = 250 * time.Millisecond
	runRounds = 40
	// stuckRounds is how many looks in a row that could remove nothing are enough.
	stuckRounds = 3
)

// RemoveRun removes what a run has made, by its mark and by the ids that claimed names
// besides. It looks again until no container is left, because a request that was given
// up may still be carried out. What resists is in Left.
func RemoveRun(ctx context.Context, engine Engine, a Attribution, claimed ...string) (Swept, error) {
	var s Swept
	stuck := 0
	for range runRounds {
		found, err := removeRound(ctx, engine, a, claimed)
		s.Removed, s.Left = append(s.Removed, found.Removed...), found.Left
		if err != nil {
			return s, fmt.Errorf("removing what run %s has made: %w", a.Owner.Run, err)
		}
		if stuck++; len(found.Removed) > 0 {
			stuck = 0
		}
		if !found.again() || stuck == stuckRounds {
			break
		}
		pause := time.NewTimer(runPause)
		select {
		case <-ctx.Done():
			pause.Stop()
			return s, fmt.Errorf("removing what run %s has made: %w", a.Owner.Run, context.Cause(ctx))
		case <-pause.C:
		}
	}
	return s, nil
}

// again reports whether another look may find something: what resisted, or a container
// that came later. Images come by themselves no more than they go.
func (s Swept) again() bool {
	return len(s.Left) > 0 || slices.ContainsFunc(s.Removed, func(l Leftover) bool { return l.Kind == KindContainer })
}

// removeRound looks once, and removes what it finds.
func removeRound(ctx context.Context, engine Engine, a Attribution, claimed []string) (Swept, error) {
	list, err := findRun(ctx, engine, a, claimed)
	if err != nil {
		return Swept{}, err
	}
	var s Swept
	s.Removed, s.Left, err = removeAll(ctx, engine, list)
	return s, err
}

// findRun lists what a run has made.
func findRun(ctx context.Context, engine Engine, a Attribution, claimed []string) ([]Leftover, error) {
	containers, err := engine.Containers(ctx)
	if err != nil {
		return nil, err
	}
	images, err := engine.Images(ctx)
	if err != nil {
		return nil, err
	}
	var list []Leftover
	for _, c := range containers {
		why := a.evidence(c.Labels, creatorsName(ctx, engine, c))
		if why == NoEvidence && slices.Contains(claimed, c.ID) {
			why = Claimed
		}
		if why != NoEvidence {
			list = append(list, Leftover{Kind: KindContainer, ID: c.ID, Name: c.Name, Run: a.Owner.Run, Reason: string(why)})
		}
	}
	for _, i := range images {
		for _, m := range imageMarks(i) {
			if m.known && m.owner.same(a.Owner) {
				m.Reason = "its name is the run's own"
				list = append(list, m.Leftover)
			}
		}
	}
	return list, nil
}

// same compares the text forms, because times that are the same can differ by ==.
func (o Owner) same(other Owner) bool { return o.String() == other.String() }
