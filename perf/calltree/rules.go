package calltree

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// RulesText is the table of the default rules, in the form that [ParseRules] reads: for a
// person to read, to copy and to extend.
//
//go:embed rules.txt
var RulesText string

// Rules say which functions belong to which class of bottleneck.
type Rules struct {
	classes []Class // Compute and OtherSystemCalls are among them
	idle    []bool  // by class: whether it is of an idle section
	rules   []rule
	// byFirst holds the rules, by number and in order, of which a symbol that begins with
	// a byte may match one. Most patterns begin with a letter, so few are tried.
	byFirst [256][]int32
}

// rule is one line of the table. Empty patterns match anything.
type rule struct {
	class                  uint16
	strength               uint8
	symbol, module, kernel string
	own                    bool  // it claims the weight of the frame alone
	needs                  pairs // of the name
}

// match is what the rules say of a frame; a strength of 0 is no match.
type match struct {
	class    uint16
	strength uint8
	own      bool
}

// strengths are the kinds of sections, the weakest first.
var strengths = []string{"kernel", "mechanism", "purpose", "idle"}

// idleStrength is that of rules which count in profiles of waits alone.
const idleStrength = 4

// DefaultRules returns the rules of [RulesText].
func DefaultRules() *Rules { return defaultRules() }

var defaultRules = sync.OnceValue(func() *Rules {
	r, err := ParseRules("rules.txt", strings.NewReader(RulesText))
	if err != nil {
		// A test reads the table, which is compiled in: this cannot be reached.
		return newRules()
	}
	return r
})

func newRules() *Rules {
	return &Rules{classes: []Class{Compute, OtherSystemCalls}, idle: []bool{false, false}}
}

// ParseRules reads a table of rules; the comment at the top of [RulesText] says what it
// looks like. To extend the default rules, read those of your own before them: at a frame,
// the first line that matches decides.
//
//	calltree.ParseRules("mine.txt", io.MultiReader(file, strings.NewReader("\n"+calltree.RulesText)))
//
// A line that cannot be understood is a [perf.SyntaxError] with the file name and its
// number.
func ParseRules(file string, r io.Reader) (*Rules, error) {
	out := newRules()
	lines := bufio.NewScanner(r)
	var section rule
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		var err error
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section, err = out.heading(line)
		case section.strength == 0:
			err = fmt.Errorf("the pattern %q stands before the first heading; a heading is like [purpose] Serialisation: TOML", line)
		default:
			err = out.pattern(line, section)
		}
		if err != nil {
			return nil, &perf.SyntaxError{File: file, Line: n, Msg: err.Error()}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the rules of %s: %w", file, err)
	}
	out.index()
	return out, nil
}

func (r *Rules) heading(line string) (rule, error) {
	kind, name, _ := strings.Cut(line[1:], "]")
	at := slices.Index(strengths, kind)
	if at < 0 {
		return rule{}, fmt.Errorf("[%s] is none of [idle], [purpose], [mechanism] and [kernel]", kind)
	}
	group, sub, _ := strings.Cut(name, ":")
	class := Class{strings.TrimSpace(group), strings.TrimSpace(sub)}
	if class.Group == "" {
		return rule{}, fmt.Errorf("the heading %q names no class", line)
	}
	id := slices.Index(r.classes, class)
	if id < 0 {
		if len(r.classes) == math.MaxUint16 {
			return rule{}, fmt.Errorf("there are more than %d classes", math.MaxUint16)
		}
		id = len(r.classes)
		r.classes = append(r.classes, class)
		r.idle = append(r.idle, at+1 == idleStrength)
	}
	if r.idle[id] != (at+1 == idleStrength) {
		return rule{}, fmt.Errorf("%s cannot be the class of idle threads and of others too", class)
	}
	return rule{class: uint16(id), strength: uint8(at + 1)}, nil
}

// pattern reads one line. A name may have spaces in it, so that only what begins with the
// word of a condition begins another.
func (r *Rules) pattern(line string, section rule) error {
	target := &section.symbol
	for _, word := range strings.Fields(line) {
		if rest, ok := strings.CutPrefix(word, "module:"); ok {
			target, word = &section.module, rest
		} else if rest, ok := strings.CutPrefix(word, "kernel:"); ok {
			target, word = &section.kernel, rest
		} else if rest, ok := strings.CutPrefix(word, "symbol:"); ok {
			target, word = &section.symbol, rest
		} else if rest, ok := strings.CutPrefix(word, "own:"); ok {
			target, word, section.own = &section.symbol, rest, true
		}
		if *target != "" {
			*target += " "
		}
		*target += word
		if *target == "" {
			return fmt.Errorf("%q has an empty pattern; * matches anything", line)
		}
	}
	if section.symbol != "" && section.kernel != "" {
		return fmt.Errorf("%q asks for a function of the kernel and of the user side at once", line)
	}
	r.rules = append(r.rules, section)
	return nil
}

// index sorts the rules by strength, keeping their order within one, and by first byte.
func (r *Rules) index() {
	slices.SortStableFunc(r.rules, func(a, b rule) int { return int(b.strength) - int(a.strength) })
	for i, rule := range r.rules {
		name := rule.symbol + rule.kernel
		for first := range r.byFirst {
			if name == "" || name[0] == '*' || name[0] == '?' || int(name[0]) == first {
				r.byFirst[first] = append(r.byFirst[first], int32(i))
			}
		}
		for _, literal := range strings.FieldsFunc(name, func(c rune) bool { return c == '*' || c == '?' }) {
			r.rules[i].needs.add(literal)
		}
	}
}

// pairs is a set of pairs of neighbouring bytes, hashed into 256 bits: a name that lacks a
// pair of a pattern cannot match it. It spares nearly all comparisons with the patterns
// that begin with a star, which otherwise take nearly all of the time.
type pairs [4]uint64

func (p *pairs) add(s string) {
	for i := 1; i < len(s); i++ {
		h := (uint(s[i-1])*31 + uint(s[i])) * 0x9e3779b1 >> 8
		p[h>>6&3] |= 1 << (h & 63)
	}
}

func (p *pairs) has(other *pairs) bool {
	return other[0]&^p[0] == 0 && other[1]&^p[1] == 0 && other[2]&^p[2] == 0 && other[3]&^p[3] == 0
}

// match finds the first rule, the strongest first, that a frame matches. Rules of idle
// sections are asked where the tree is one of waits.
func (r *Rules) match(f Frame, waits bool) match {
	name := bareName(f.Label())
	if name == "" {
		return match{}
	}
	var has pairs
	has.add(name)
	for _, i := range r.byFirst[name[0]] {
		rule := &r.rules[i]
		if rule.strength == idleStrength && !waits {
			continue
		}
		if has.has(&rule.needs) && rule.matches(f, name) {
			return match{rule.class, rule.strength, rule.own}
		}
	}
	return match{}
}

// bareName cuts off what linkers and compilers put behind the name of a function.
func bareName(name string) string {
	if at := strings.IndexByte(name, '@'); at > 0 {
		name = name[:at]
	}
	if strings.IndexByte(name, '.') <= 0 {
		return name
	}
	for _, mark := range []string{".isra.", ".constprop.", ".part.", ".cold", ".llvm."} {
		if at := strings.Index(name, mark); at > 0 {
			name = name[:at]
		}
	}
	return name
}

func (r *rule) matches(f Frame, name string) bool {
	if f.Kernel != (r.kernel != "") && r.symbol+r.kernel != "" {
		return false
	}
	if pattern := r.symbol + r.kernel; pattern != "" && !glob(pattern, name) {
		return false
	}
	return r.module == "" || glob(r.module, f.Module)
}

// compute is the number of the class of what no rule matches.
func (r *Rules) compute() uint16 { return uint16(slices.Index(r.classes, Compute)) }

// fallback is the class of a stack that no rule matches, by the frame that it ends with.
func (r *Rules) fallback(f Frame) uint16 {
	if f.Kernel {
		return uint16(slices.Index(r.classes, OtherSystemCalls))
	}
	return r.compute()
}

// Classes returns the classes of the rules, in the order of the table, with [Compute] and
// [OtherSystemCalls].
func (r *Rules) Classes() []Class { return slices.Clone(r.classes) }
