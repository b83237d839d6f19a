package main

import (
	"cmp"
	"fmt"
	"strings"
)

// pipeline is commands joined by |, and the operator that stands before it:
// "&&", "||", or ";" (also for the first).
type pipeline struct {
	after    string
	commands []simple
}

// simple is one command: its words and, if not empty, the file that takes its
// output.
type simple struct {
	words  []string
	output string
}

// token is a word, or an operator when op is not empty.
type token struct {
	op, word string
}

// parseShell reads a command line, a part of what POSIX calls a complete_command
// (IEEE Std 1003.1, Shell Command Language, 2.10):
//
//	line     = [ pipeline { ( "&&" | "||" | ";" | newline ) pipeline } [ ";" ] ]
//	pipeline = command { "|" command }
//	command  = word { word | ">" word }
//	word     = { character | "\" character | "'...'" | "\"...\"" }
//
// What a real shell would expand or do beyond that is refused, because to pass
// it on as text would do something else than the line says.
func parseShell(line string) ([]pipeline, error) {
	tokens, err := scanShell(line)
	if err != nil {
		return nil, err
	}
	var list []pipeline
	cur := pipeline{after: ";"}
	for len(tokens) > 0 {
		var cmd simple
		var op string
		if cmd, op, tokens, err = parseSimple(tokens); err != nil {
			return nil, err
		}
		if cmd.words == nil {
			// Nothing between two operators is a mistake, as in any shell, except
			// after a ; or a newline, where people leave empty lines.
			if op == ";" && cmd.output == "" && cur.commands == nil && cur.after == ";" {
				continue // an empty line, or the end after a ;
			}
			return nil, fmt.Errorf("a command is missing before %q", cmp.Or(cmd.output, op))
		}
		cur.commands = append(cur.commands, cmd)
		if op != "|" {
			list = append(list, cur)
			cur = pipeline{after: op}
		} else if len(tokens) == 1 {
			return nil, fmt.Errorf("a command is missing after %q", op)
		}
	}
	return list, nil
}

// parseSimple reads one command and the operator that ends it.
func parseSimple(tokens []token) (cmd simple, op string, rest []token, err error) {
	for i := 0; i < len(tokens); i++ {
		switch t := tokens[i]; t.op {
		case "":
			cmd.words = append(cmd.words, t.word)
		case ">":
			if i+1 == len(tokens) || tokens[i+1].word == "" {
				return cmd, "", nil, fmt.Errorf("a file name is missing after %q", ">")
			}
			i++
			cmd.output = tokens[i].word
		default:
			return cmd, t.op, tokens[i+1:], nil
		}
	}
	return cmd, ";", nil, nil
}

// Characters with a meaning that parseShell does not carry out, anywhere in a
// word that is not quoted, and at its start.
const (
	refused        = "$`*?[]&<(){}"
	refusedAtStart = "#~!"
)

// scanShell cuts line into tokens; a ; stands for a newline too, and one is
// added at the end, so that every command has an operator after it.
func scanShell(line string) ([]token, error) {
	var tokens []token
	for line = strings.TrimLeft(line, " \t"); line != ""; line = strings.TrimLeft(line, " \t") {
		// Operators need no blanks around them.
		if op := operatorAt(line); op != "" {
			line = line[len(op):]
			if op == "\n" {
				op = ";"
			}
			tokens = append(tokens, token{op: op})
			continue
		}
		word, rest, err := scanWord(line)
		if err != nil {
			return nil, err
		}
		tokens, line = append(tokens, token{word: word}), rest
	}
	return append(tokens, token{op: ";"}), nil
}

// operatorAt returns the operator that s starts with, or "". The longer ones come
// first; a single & is none, as nothing runs in the background of a step.
func operatorAt(s string) string {
	for _, op := range []string{"&&", "||", ";", "|", ">", "\n"} {
		if strings.HasPrefix(s, op) {
			return op
		}
	}
	return ""
}

// scanWord reads the word at the start of line, without its quotes. Quoted parts
// and plain ones join when nothing stands between them: a'b'"c" is abc.
func scanWord(line string) (word, rest string, err error) {
	var b strings.Builder
	// A word of digits before > names a stream: 2> would send another one than >
	// does, and passing "2" as an argument is not what the line means.
	digits := true // so far
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '\'' || c == '"':
			n, err := scanQuoted(&b, line[i:], c)
			if err != nil {
				return "", "", err
			}
			i += n
			digits = false
			continue
		case c == '\\' && i+1 < len(line):
			i++
			c = line[i]
		case strings.IndexByte(" \t", c) >= 0 || operatorAt(line[i:]) != "":
			if c == '>' && digits {
				return "", "", fmt.Errorf("%s> is not known to this shell: it sends standard output alone", line[:i])
			}
			return b.String(), line[i:], nil
		case strings.IndexByte(refused, c) >= 0 || i == 0 && strings.IndexByte(refusedAtStart, c) >= 0:
			return "", "", fmt.Errorf("%q is not known to this shell: quote it if it is meant as text", c)
		}
		digits = digits && c >= '0' && c <= '9'
		b.WriteByte(c)
	}
	return b.String(), "", nil
}

// scanQuoted reads the quoted text at the start of s into b and returns the
// offset of the closing quote. In double quotes a backslash escapes " and \ and
// the two characters that a shell would expand, which are refused otherwise.
func scanQuoted(b *strings.Builder, s string, quote byte) (int, error) {
	for i := 1; i < len(s); i++ {
		c := s[i]
		switch {
		case c == quote:
			return i, nil
		case quote == '"' && c == '\\' && i+1 < len(s) && strings.IndexByte("\"\\$`", s[i+1]) >= 0:
			i++
			c = s[i]
		case quote == '"' && strings.IndexByte("$`", c) >= 0:
			return 0, fmt.Errorf("%q is not expanded by this shell: use single quotes if it is meant as text", c)
		}
		b.WriteByte(c)
	}
	return 0, fmt.Errorf("the quote %c is never closed: %s", quote, s)
}
