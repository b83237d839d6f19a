package experiment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

// plainCause finds the cause where a workload does not say how it looks: the first
// line in the form in which compilers, git and many other programs complain.
var plainCause = regexp.MustCompile(`(?m)^(?:error|fatal|panic)(?:\[\w+\])?: .*`)

// maxCause is how long the cause may be, in characters: a reader sees it in a
// sentence, and the whole of it in the lines that follow.
const maxCause = 300

// reasonFor turns the error of a command into the reason that the reader gets. Its
// first line is all that is shown of it beside what depends on the command, so it must
// make sense alone; and a command that ended by itself is introduced by the cause from
// its output: "cargo build: exit status 101" would help nobody.
func reasonFor(run measure.Run, err error, pattern string) string {
	byItself := run.ExitCode > 0 && !run.TimedOut && run.Signal == ""
	if byItself {
		run.Output = testOutput(run.Output)
		err = run.Err()
	}
	f, ok := errors.AsType[*measure.Failure](err)
	if !ok || len(f.Tail) == 0 {
		return err.Error()
	}
	first, _, _ := strings.Cut(err.Error(), "; its last lines:\n")
	if byItself {
		cause := causeIn(run.Output, pattern)
		first = fmt.Sprintf("%s (%s)", cause, first)
		if len(f.Tail) == 1 && strings.TrimSpace(f.Tail[0]) == cause {
			return first
		}
	}
	return first + "\nits last lines:\n\t" + strings.Join(f.Tail, "\n\t")
}

// causeIn finds the cause in the output of a command: what pattern matches first, or
// what looks like a complaint, or the last line.
func causeIn(output []byte, pattern string) string {
	text := []byte(measure.StripEscapes(strings.ToValidUTF8(string(output), "?")))
	text = bytes.TrimSpace(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
	if found := firstMatch(text, pattern); found != "" {
		return found
	}
	if found := plainCause.Find(text); found != nil {
		return oneLine(found)
	}
	return oneLine(text[bytes.LastIndexByte(text, '\n')+1:])
}

// firstMatch returns the first match of pattern, or its groups with a space between
// them.
func firstMatch(text []byte, pattern string) string {
	re, err := regexp.Compile(pattern)
	if pattern == "" || err != nil {
		return "" // [suite.Suite.CheckValid] has refused a pattern that does not compile
	}
	m := re.FindSubmatch(text)
	if len(m) > 1 {
		return oneLine(bytes.Join(m[1:], []byte(" ")))
	}
	return oneLine(bytes.Join(m, nil))
}

// oneLine makes a text fit to stand in a sentence.
func oneLine(text []byte) string {
	printable := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, string(text))
	runes := []rune(strings.TrimSpace(printable))
	if len(runes) > maxCause {
		return string(runes[:maxCause]) + "…"
	}
	return string(runes)
}

// testOutput returns what tests wrote, where output holds the events of go test -json
// (go doc test2json); all other lines stay as they are. Nobody should have to read a
// failure in JSON.
func testOutput(output []byte) []byte {
	if !bytes.Contains(output, []byte(`"Action":`)) {
		return output
	}
	var text []byte
	for line := range bytes.Lines(output) {
		var event struct{ Action, Package, ImportPath, Output string }
		err := json.Unmarshal(line, &event)
		if err != nil || event.Action == "" || event.Package+event.ImportPath == "" {
			text = append(text, line...)
			continue
		}
		text = append(text, event.Output...)
	}
	return text
}
