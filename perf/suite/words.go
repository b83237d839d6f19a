package suite

import (
	"errors"
	"fmt"
	"strings"
)

// SplitWords splits a command line into words as a POSIX shell does (POSIX.1-2017,
// Shell Command Language, 2.2 Quoting), without expanding anything. Spaces, tabs and
// line ends separate; 'single quotes' keep all; in "double quotes" a backslash
// escapes only $ ` " \ and elsewhere it keeps the next character; a backslash at the
// end of a line joins it with the next, so that a Windows path goes into single
// quotes. What a shell would act upon, unquoted | & ; < > ( ) and # or expansions
// by $ ` * ? [ ] and ~, is an error, because run without a shell it would silently
// become an argument. Words may hold any bytes, as arguments may.
func SplitWords(line string) ([]string, error) {
	sp := splitter{line: line}
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

// splitter goes through the line by bytes: whatever means something is ASCII, and no
// byte of a longer UTF-8 sequence is.
type splitter struct {
	line  string
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

func (s *splitter) put(c byte) {
	s.word.WriteByte(c)
	s.open = true
}

// next is the byte at the position, or 0 at the end of the line.
func (s *splitter) next() byte {
	if s.pos == len(s.line) {
		return 0
	}
	return s.line[s.pos]
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func (s *splitter) step() error {
	c := s.line[s.pos]
	s.pos++
	switch {
	case isBlank(c):
		s.flush()
	case c == '\'':
		return s.single()
	case c == '"':
		return s.double()
	case c == '\\':
		return s.escaped()
	default:
		if err := s.shellOnly(c); err != nil {
			return err
		}
		s.put(c)
	}
	return nil
}

// escaped reads what stands behind a backslash outside quotes.
func (s *splitter) escaped() error {
	if s.pos == len(s.line) {
		return errors.New("it ends in a backslash")
	}
	if c := s.next(); c != '\n' {
		s.put(c)
	}
	s.pos++
	return nil
}

// shellOnly refuses the unquoted byte c if a shell would do something with it.
func (s *splitter) shellOnly(c byte) error {
	switch {
	case strings.IndexByte("|&;<>`()", c) >= 0:
		return fmt.Errorf("%q is for a shell: quote it, or use -shell", c)
	case c == '#' && !s.open:
		return errors.New("a word that begins with # is a comment for a shell: quote it, or use -shell")
	case c == '$' && expands(s.next(), true), c == '*', c == '?', c == '~' && !s.open,
		c == '[' && s.next() != 0 && !isBlank(s.next()):
		return fmt.Errorf("%q would be expanded by a shell: quote it with '...', or use -shell", c)
	}
	return nil
}

// expands reports whether a $ before the byte c begins an expansion. Quotes behind it
// do so outside of double quotes alone.
func expands(c byte, unquoted bool) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	case c == '\'' || c == '"':
		return unquoted
	}
	return c != 0 && strings.IndexByte("_{(@*#?-$!", c) >= 0
}

// single reads up to the closing single quote.
func (s *splitter) single() error {
	text, _, closed := strings.Cut(s.line[s.pos:], "'")
	if !closed {
		return errors.New("the ' is never closed")
	}
	s.open = true
	s.word.WriteString(text)
	s.pos += len(text) + 1
	return nil
}

// double reads up to the closing double quote.
func (s *splitter) double() error {
	s.open = true
	for s.pos < len(s.line) {
		c := s.line[s.pos]
		s.pos++
		switch {
		case c == '"':
			return nil
		case c == '\\' && s.next() == '\n':
			s.pos++
			continue
		case c == '\\' && s.next() != 0 && strings.IndexByte("$`\"\\", s.next()) >= 0:
			c = s.next()
			s.pos++
		case c == '`', c == '$' && expands(s.next(), false):
			return fmt.Errorf("%q would be expanded by a shell inside \"...\" too: quote it with '...', or use -shell", c)
		}
		s.word.WriteByte(c)
	}
	return errors.New("the \" is never closed")
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
	if w != "" && strings.TrimFunc(w, isPlain) == "" {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// isPlain reports whether no shell finds anything in r.
func isPlain(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r > 127 || strings.ContainsRune("_-./=:,@%+^", r)
}

// showWord quotes a word for a reader: [Work] in it stays bare, so that the line runs
// in a shell that has a variable of that name.
func showWord(w string) string {
	at := indexWork(w)
	if at < 0 {
		return quoteWord(w)
	}
	before, after := w[:at], w[at+len(Work):]
	if before != "" {
		before = quoteWord(before)
	}
	if after != "" {
		after = showWord(after)
	}
	return before + Work + after
}

// indexWork finds [Work] in s, and not a longer name that begins like it.
func indexWork(s string) int {
	for from := 0; ; {
		at := strings.Index(s[from:], Work)
		if at < 0 {
			return -1
		}
		end := from + at + len(Work)
		if end == len(s) || !isNameByte(s[end]) {
			return from + at
		}
		from = end
	}
}

// isNameByte reports whether c may stand in the name of a shell variable.
func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
