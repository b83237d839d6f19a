package calltree

import (
	"regexp"
	"strings"
	"testing"
)

// FuzzGlob sets glob against the same pattern as a regular expression, and what a pattern
// needs against what it matches.
func FuzzGlob(f *testing.F) {
	for _, seed := range [][2]string{
		{"runtime.chan*", "runtime.chansend1"}, {"*a*b", "aab"}, {"*a*b", "aabc"}, {"?", ""}, {"", ""}, {"*", ""}, {"a?c*", "abcd"},
		{"*docker/client.(*Client).*", "x/docker/client.(*Client).Ping"}, {"**a", "ba"}, {"*ab*ab", "abab"}, {"*ab*ab", "ab"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if strings.ContainsFunc(pattern+text, func(r rune) bool { return r > 0x7e }) || len(pattern) > 200 {
			return // a ? stands for a byte
		}
		re := regexp.QuoteMeta(pattern)
		re = strings.ReplaceAll(strings.ReplaceAll(re, `\*`, "(?s:.*)"), `\?`, "(?s:.)")
		want := regexp.MustCompile(`\A` + re + `\z`).MatchString(text)
		if got := glob(pattern, text); got != want {
			t.Errorf("%q matches %q: %t, want %t", pattern, text, got, want)
		}
		var has, needs pairs
		has.add(text)
		for _, literal := range strings.FieldsFunc(pattern, func(c rune) bool { return c == '*' || c == '?' }) {
			needs.add(literal)
		}
		if want && !has.has(&needs) {
			t.Errorf("%q matches %q, but is rejected by its pairs", pattern, text)
		}
	})
}

// FuzzParseRules: a table that can be read classifies frames, and one that cannot is an
// error with a line.
func FuzzParseRules(f *testing.F) {
	f.Add("[purpose] A: b\n\tmain*\n", "main.main")
	f.Add("[kernel] A\n\tkernel:*\n[mechanism] B\n\town:x module:*y\n", "x_[k]")
	f.Add("# only\n[purpose] : \n", "")
	f.Fuzz(func(t *testing.T, table, name string) {
		rules, err := ParseRules("rules", strings.NewReader(table))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "rules:") && !strings.Contains(err.Error(), "reading the rules") {
				t.Errorf("the error %v names no line", err)
			}
			return
		}
		m := rules.match(newFrame(name, "/usr/bin/x"), true)
		if int(m.class) >= len(rules.Classes()) {
			t.Errorf("class %d of %d", m.class, len(rules.Classes()))
		}
	})
}
