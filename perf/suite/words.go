package suite

import (
	"fmt"
	"strings"
)

// SplitWords splits a command line into words as a POSIX shell does without
// expanding anything: white space separates; 'single quotes' keep all; in "double
// quotes" a backslash escapes only $ ` " \ and a line's end; elsewhere it keeps the
// next character. An operator that only a shell knows (| & ; < > and the like,
// unquoted) is an error, because run without a shell it would silently become an
// argument.
func SplitWords(line string) ([]string, error) {
	sp := splitter{line: []rune(line)}
	for sp.pos < len(sp.line) {
		if err := sp.step(); err != nil {
			return nil, fmt.Errorf("splitting the command %q: %w", line, err)
		}
	}
	sp.flush()
	if len(sp.words) == 0 {
		return nil, fmt.Errorf("splitting the command %q: there is no word in it", line)
	}
	return sp.words, nil
}

type splitter struct {
	line  []rune
	pos   int
	word  strings.Builder
	open  bool // a word has begun, even if it is empty as '' is
	words []string
}

func (s *splitter) flush() {
	if s.open {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.open = false
}

func (s *splitter) put(r rune) {
	s.word.WriteRune(r)
	s.open = true
}

func (s *splitter) step() error {
	r := s.line[s.pos]
	s.pos++
	switch {
	case r == ' ' || r == '\t' || r == '\n' || r == '\r':
		s.flush()
	case r == '\'' || r == '"':
		return s.quoted(r)
	case r == '\\':
		if s.pos == len(s.line) {
			return fmt.Errorf("it ends in a backslash")
		}
		s.put(s.line[s.pos])
		s.pos++
	case strings.ContainsRune("|&;<>`()", r):
		return fmt.Errorf("%q is for a shell: quote it, or use -shell", r)
	case r == '$' && s.pos < len(s.line) && !strings.ContainsRune(" \t\n", s.line[s.pos]):
		return fmt.Errorf("%q would be expanded by a shell: quote it with '...', or use -shell", "$")
	default:
		s.put(r)
	}
	return nil
}

// quoted reads up to the closing quote.
func (s *splitter) quoted(quote rune) error {
	s.open = true
	for ; s.pos < len(s.line); s.pos++ {
		r := s.line[s.pos]
		if r == quote {
			s.pos++
			return nil
		}
		if quote == '"' && r == '\\' && s.pos+1 < len(s.line) && strings.ContainsRune("$`\"\\\n", s.line[s.pos+1]) {
			s.pos++
			r = s.line[s.pos]
		}
		s.word.WriteRune(r)
	}
	return fmt.Errorf("the %c is never closed", quote)
}

// JoinWords writes words so that [SplitWords] and a POSIX shell read them back.
func JoinWords(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = quoteWord(w)
	}
	return strings.Join(out, " ")
}

func quoteWord(w string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r > 127 || strings.ContainsRune("_-./=:,@%+^", r)
	}
	if w != "" && strings.TrimFunc(strings.TrimPrefix(w, Work), plain) == "" {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}
