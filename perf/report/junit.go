package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// The elements of JUnit's XML that its readers have in common (the schema of Apache
// Ant's JUnit task, and the attributes file and line that GitHub's and GitLab's readers
// show).
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr"`
		Properties []junitProperty `xml:"properties>property,omitempty"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr"`
		File    string        `xml:"file,attr,omitempty"`
		Line    int           `xml:"line,attr,omitempty"`
		Skipped *junitMessage `xml:"skipped"`
		Error   *junitMessage `xml:"error"`
		Failure *junitMessage `xml:"failure"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitMessage struct {
		Type    string `xml:"type,attr,omitempty"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes the document as JUnit's XML: one case for each metric, of a name of its
// own, because readers take two cases of one name for two tries of one test and keep the
// better. What makes the exit status 3 is a failure, what makes it 1 or 4 an error; what
// is not well and changes nothing is skipped, with what is to be said about it.
func (d Document) JUnit(w io.Writer) error {
	s := junitSuite{
		Name: xmlText(d.Result.Suite), Timestamp: d.Result.Created.UTC().Format("2006-01-02T15:04:05"), Properties: d.junitProperties(),
	}
	seconds, names := 0.0, map[string]bool{}
	for _, f := range d.outcomes() {
		c := junitCaseOf(f, s.Name)
		for base, n := c.Name, 2; names[c.Name]; n++ {
			c.Name = fmt.Sprintf("%s (%d)", base, n)
		}
		names[c.Name] = true
		s.add(c)
		if f.seconds != nil {
			seconds += max(*f.seconds, 0)
		}
	}
	if d.Result.Exit != perf.ExitOK && s.Failures+s.Errors == 0 {
		// Whatever made the exit status, no reader of this file may take it for success.
		s.add(junitCase{Class: s.Name, Name: "the run", Time: "0", Error: &junitMessage{Type: "error", Message: xmlText(d.headline())}})
	}
	s.Time = xmlSeconds(seconds)
	all := junitSuites{Name: "clnrm-perf", Tests: s.Tests, Failures: s.Failures, Errors: s.Errors, Skipped: s.Skipped, Suites: []junitSuite{s}}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// add appends a case and counts it.
func (s *junitSuite) add(c junitCase) {
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

func (d Document) junitProperties() []junitProperty {
	r := d.Result
	var out []junitProperty
	for _, p := range []junitProperty{
		{"run", r.ID}, {"mode", r.Mode}, {"commit", r.Subject.Commit}, {"machine", r.Machine.Fingerprint}, {"cpu", r.Machine.CPU},
		{"exit status", strconv.Itoa(r.Exit)},
	} {
		if p.Value != "" {
			out = append(out, junitProperty{p.Name, xmlText(p.Value)})
		}
	}
	for _, s := range r.Scaling {
		out = append(out, junitProperty{xmlText("scaling of " + s.Name), xmlText(strings.TrimSpace(scalingLaw(s) + ". " + s.Answer))})
	}
	return out
}

// junitCaseOf words one outcome.
func junitCaseOf(f outcome, suite string) junitCase {
	c := junitCase{Class: suite, Name: xmlText(f.name()), Time: "0", File: xmlText(f.source.File), Line: f.source.Line, Out: xmlText(f.text)}
	if f.seconds != nil {
		c.Time = xmlSeconds(*f.seconds)
	}
	if f.good && f.status == perf.ExitOK {
		return c
	}
	first, _, _ := strings.Cut(indent(f.reason), "\n")
	first = strings.TrimPrefix(first, f.state+": ")
	m := &junitMessage{Type: xmlText(f.state), Message: xmlText(f.state), Text: xmlLines(f.reason)}
	if first != "" {
		m.Message = xmlText(f.state + ": " + first)
	} else if f.text != "" {
		m.Message = xmlText(f.state + ": " + f.text)
	}
	switch f.status {
	case perf.ExitOK:
		m.Type = "" // the schema gives "skipped" no type
		c.Skipped = m
	case perf.ExitGate:
		c.Failure = m
	default:
		c.Error = m
	}
	return c
}

// xmlSeconds prints a time as the schema's xs:decimal, which knows no exponent.
func xmlSeconds(v float64) string {
	return strconv.FormatFloat(max(v, 0), 'f', -1, 64)
}

// xmlText makes foreign text one line that XML can hold. encoding/xml escapes the rest.
func xmlText(s string) string { return xmlChars(clean(s)) }

// xmlLines is xmlText for several lines.
func xmlLines(s string) string { return xmlChars(strings.ReplaceAll(indent(s), "\n    ", "\n")) }

// xmlChars replaces what is no character of XML 1.0.
func xmlChars(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r >= 0x20 && r != utf8.RuneError && r != 0xFFFE && r != 0xFFFF {
			return r
		}
		return '\ufffd'
	}, s)
}
