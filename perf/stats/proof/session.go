package proof

import "math/rand/v2"

// A session is one comparison: it runs the old and the new program, of which the new
// one takes factor times as long, on one machine.
type session struct {
	r      *rand.Rand
	next   func() float64
	factor float64
	runs   int
}

func (s scenario) session(r *rand.Rand, effect float64) *session {
	return &session{r: r, next: s.runs(r), factor: 1 + effect}
}

func (s *session) old() float64 { s.runs++; return s.next() }
func (s *session) new() float64 { s.runs++; return s.next() * s.factor }

// pair runs both next to each other, in the order that a coin decides.
func (s *session) pair() (older, newer float64) {
	if s.r.IntN(2) == 0 {
		older = s.old()
		return older, s.new()
	}
	newer = s.new()
	return s.old(), newer
}

// blocks runs n of the one and then n of the other, as people do by hand.
func (s *session) blocks(n int) (older, newer []float64) {
	for range n {
		older = append(older, s.old())
	}
	for range n {
		newer = append(newer, s.new())
	}
	return older, newer
}

// answer is what a rule says about a session.
type answer int

const (
	undecided answer = iota
	same
	slower
	faster
)

// A rule decides one session, running as much of it as it wants.
type rule struct {
	name   string
	decide func(s *session) answer
}

// The sequential rules, which look while they measure and can say "no change". The
// third is the engine asked for a difference alone, and never stopped.
var (
	shipped = rule{"clnrm-perf", engine}
	rival   = rule{"group-sequential Wilcoxon", groupSequential}
	endless = rule{"clnrm-perf, ever", everAlarms}
)

// customs are what people use today.
var customs = []rule{
	{"Welch", blockWelch},
	{"Mann-Whitney", blockMannWhitney},
	{"±1 % rule", blockOnePercent},
	{"re-run", rerunMannWhitney},
	{"peeking", peekingWilcoxon},
}
