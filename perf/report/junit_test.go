package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// junitSchema is what JUnit's XML may hold: the XML Schema of Apache Ant's JUnit task as
// published by Windy Road, widened by what the readers of GitHub and GitLab take
// (testsuites with counts, skipped with a message, file and line on a case).
var junitSchema = map[string]struct {
	attributes map[string]string // a pattern of the value; "!" before it: required
	children   []string          // in this order
}{
	"testsuites": {map[string]string{"name": `!.+`, "tests": `!\d+`, "failures": `!\d+`, "errors": `!\d+`, "skipped": `!\d+`}, []string{"testsuite"}},
	"testsuite": {map[string]string{
		"name": `!.+`, "tests": `!\d+`, "failures": `!\d+`, "errors": `!\d+`, "skipped": `!\d+`, "time": `!\d+(\.\d+)?`,
		"timestamp": `!\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`,
	}, []string{"properties", "testcase"}},
	"properties": {nil, []string{"property"}},
	"property":   {map[string]string{"name": `!.+`, "value": `!(?s).*`}, nil},
	"testcase": {map[string]string{
		"name": `!.+`, "classname": `!.+`, "time": `!\d+(\.\d+)?`, "file": `.+`, "line": `[1-9]\d*`,
	}, []string{"skipped", "error", "failure", "system-out"}},
	"skipped":    {map[string]string{"message": `!.+`}, nil},
	"error":      {map[string]string{"message": `!.+`, "type": `!.+`}, nil},
	"failure":    {map[string]string{"message": `!.+`, "type": `!.+`}, nil},
	"system-out": {nil, nil},
}

// checkJUnit holds a file against the schema, its counts against its cases, and the
// names of its cases against each other.
func checkJUnit(t *testing.T, data []byte) {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(data))
	var open []string
	last := map[int]int{}
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not XML: %v\n%s", err, data)
		}
		switch e := token.(type) {
		case xml.StartElement:
			checkElement(t, e, open, last)
			open = append(open, e.Name.Local)
			last[len(open)] = -1
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
	checkCounts(t, data)
}

func checkElement(t *testing.T, e xml.StartElement, open []string, last map[int]int) {
	t.Helper()
	name := e.Name.Local
	rule, known := junitSchema[name]
	if !known {
		t.Errorf("JUnit knows no element %s", name)
	}
	if len(open) == 0 {
		if name != "testsuites" {
			t.Errorf("the root is %s", name)
		}
	} else {
		at := slices.Index(junitSchema[open[len(open)-1]].children, name)
		if at < last[len(open)] || at < 0 {
			t.Errorf("%s in %s, or behind what it must precede", name, open[len(open)-1])
		}
		last[len(open)] = at
	}
	seen := map[string]bool{}
	for _, a := range e.Attr {
		pattern, ok := rule.attributes[a.Name.Local]
		if !ok {
			t.Errorf("%s has no attribute %s", name, a.Name.Local)
		} else if !regexp.MustCompile("^(?:" + strings.TrimPrefix(pattern, "!") + ")$").MatchString(a.Value) {
			t.Errorf("%s: %s=%q", name, a.Name.Local, a.Value)
		}
		seen[a.Name.Local] = true
	}
	for key, pattern := range rule.attributes {
		if strings.HasPrefix(pattern, "!") && !seen[key] {
			t.Errorf("%s lacks the attribute %s", name, key)
		}
	}
}

// checkCounts counts again.
func checkCounts(t *testing.T, data []byte) {
	t.Helper()
	var all junitSuites
	if err := xml.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	tests, failures, faults, skipped := 0, 0, 0, 0
	for _, s := range all.Suites {
		for _, c := range s.Cases {
			if key := c.Class + "\x00" + c.Name; names[key] {
				t.Errorf("two cases are called %q", c.Name)
			} else {
				names[key] = true
			}
			tests++
			if c.Failure != nil {
				failures++
			}
			if c.Error != nil {
				faults++
			}
			if c.Skipped != nil {
				skipped++
			}
			if _, err := strconv.ParseFloat(c.Time, 64); err != nil {
				t.Errorf("%s took %q", c.Name, c.Time)
			}
		}
	}
	if all.Tests != tests || all.Failures != failures || all.Errors != faults || all.Skipped != skipped {
		t.Errorf("counts %d, %d, %d, %d; there are %d, %d, %d, %d", all.Tests, all.Failures, all.Errors, all.Skipped, tests, failures, faults, skipped)
	}
}

// junitHas reports whether a case has a name that begins with text.
func junitHas(t *testing.T, data []byte, text string) bool {
	t.Helper()
	var all junitSuites
	if err := xml.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(all.Suites[0].Cases, func(c junitCase) bool { return strings.HasPrefix(c.Name, text) })
}
