package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// Limits of GitHub: how many annotations of one severity a step may have, and how long
// the message of one is (actions/runner, IssueMatcher and ExecutionContext).
const (
	MaxAnnotations       = 10
	MaxAnnotationMessage = 4096
)

// severities of annotations. What changes the exit status is an error.
const (
	severityError   = "error"
	severityWarning = "warning"
)

// Annotations writes the workflow commands by which GitHub marks a run and, where the
// place is known, a line of the source: the worst first, at most [MaxAnnotations] of
// either severity, of which the last sums up what did not fit. A run in which all is
// well has none. The lines work on stdout and on stderr alike.
func (d Document) Annotations(w io.Writer) error {
	lists := map[string][]outcome{}
	for _, f := range notWell(d.outcomes()) {
		severity := severityWarning
		if f.status != perf.ExitOK {
			severity = severityError
		}
		lists[severity] = append(lists[severity], f)
	}
	if d.Result.Exit != perf.ExitOK && len(lists[severityError]) == 0 {
		lists[severityError] = []outcome{{workload: d.Result.Suite, state: "exit status " + fmt.Sprint(d.Result.Exit), text: d.headline()}}
	}
	out := &writer{w: w}
	for _, severity := range []string{severityError, severityWarning} {
		list := lists[severity]
		shown := list
		if len(list) > MaxAnnotations {
			shown = list[:MaxAnnotations-1]
		}
		for _, f := range shown {
			out.printf("%s", annotation(severity, f))
		}
		if more := list[len(shown):]; len(more) > 0 {
			out.printf("::%s title=%s::%s\n", severity, escapeProperty(fmt.Sprintf("and %d more", len(more))), escapeData(cut(namesOf(more), MaxAnnotationMessage)))
		}
	}
	return out.err
}

// annotation is the command for one outcome.
func annotation(severity string, f outcome) string {
	var properties []string
	if f.source.File != "" {
		properties = append(properties, "file="+escapeProperty(clean(f.source.File)))
		if f.source.Line > 0 {
			properties = append(properties, fmt.Sprintf("line=%d", f.source.Line))
		}
	}
	properties = append(properties, "title="+escapeProperty(shorten(clean(f.name()+" is "+f.state), maxTitle)))
	message := clean(f.text)
	if reason := strings.TrimPrefix(indent(f.reason), f.state+": "); reason != "" {
		if message != "" {
			message += "\n"
		}
		message += reason
	}
	if message == "" {
		message = clean(f.state)
	}
	return fmt.Sprintf("::%s %s::%s\n", severity, strings.Join(properties, ","), escapeData(cut(message, MaxAnnotationMessage)))
}

// maxTitle is how many columns of a title are shown.
const maxTitle = 120

// namesOf lists what did not get an annotation of its own.
func namesOf(list []outcome) string {
	names := make([]string, len(list))
	for i, f := range list {
		names[i] = clean(f.name() + " is " + f.state)
	}
	return strings.Join(names, "\n")
}

// cut shortens a text to at most n bytes, at the end of a character.
func cut(s string, n int) string {
	const ellipsis = "…"
	if len(s) <= n {
		return s
	}
	end := n - len(ellipsis)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	s = s[:end]
	return s + ellipsis
}

// escapeData and escapeProperty are the escapes of workflow commands (actions/toolkit,
// command.ts).
func escapeData(s string) string { return dataEscapes.Replace(s) }

func escapeProperty(s string) string { return propertyEscapes.Replace(s) }

var (
	dataEscapes     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
