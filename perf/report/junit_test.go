package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// validate holds a file against the schema in testdata, with libxml2. It returns what is
// said against it; "" of a file that is valid.
func validate(t *testing.T, xmllint string, data []byte) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), xmllint, "--noout", "--nonet", "--schema", filepath.Join("testdata", "junit.xsd"), "-")
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.CombinedOutput()
	if _, refused := errors.AsType[*exec.ExitError](err); err != nil && !refused {
		t.Fatalf("xmllint: %v", err)
	}
	if err == nil {
		return ""
	}
	return string(out)
}

// TestJUnitSchema holds every document against the schema, those with the nastiest names
// among them.
func TestJUnitSchema(t *testing.T) {
	xmllint := testenv.Tool(t, "xmllint")
	all := maps.Clone(documents)
	all["wicked"], all["wicked and compared"] = wickedDocument(false), wickedDocument(true)
	all["nasty"] = Document{Result: nastyRun(), Policy: gate}
	for name, d := range all {
		var buf bytes.Buffer
		if err := d.JUnit(&buf); err != nil {
			t.Fatal(err)
		}
		if fault := validate(t, xmllint, buf.Bytes()); fault != "" {
			t.Errorf("%s: %s\n%s", name, fault, buf.String())
		}
	}
}

// TestJUnitSchemaRefuses spoils a good file in one place after another: a schema that lets
// all pass proves nothing.
func TestJUnitSchemaRefuses(t *testing.T) {
	xmllint := testenv.Tool(t, "xmllint")
	var buf bytes.Buffer
	if err := documents["bad"].JUnit(&buf); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ what, pattern, with, fault string }{
		{"an element that is none", `<system-out>`, `<system-out/><oops/><system-out>`, "oops"},
		{"an attribute that is none", `<testcase `, `<testcase hue="red" `, "hue"},
		{"a count that is no number", ` tests="\d+"`, ` tests="many"`, "many"},
		{"no count", ` errors="\d+"`, ``, "errors"},
		{"an exponent", ` time="191.2"`, ` time="1.912e2"`, "1.912e2"},
		{"a time below zero", ` time="191.2"`, ` time="-1"`, "-1"},
		{"a zone", `(timestamp="[^"]*)"`, `${1}Z"`, "timestamp"},
		{"no name", `(<testcase classname="clnrm") name="[^"]*"`, `$1`, "name"},
		{"a name of two lines", `name="build time`, `name="build&#xA;time`, "name"},
		{"one name twice", `name="memory \[peak memory\]"`, `name="build [cpu]"`, "a-case-of-its-own"},
		{"a failure without a type", `<failure type="[^"]*"`, `<failure`, "type"},
		{"a type of what is skipped", `<skipped`, `<skipped type="x"`, "type"},
		{"two outcomes", `(<failure [^>]*>)`, `<error type="x" message="y"/>$1`, "failure"},
		{"the line 0", `line="12"`, `line="0"`, "line"},
	} {
		spoiled := regexp.MustCompile(tc.pattern).ReplaceAll(buf.Bytes(), []byte(tc.with))
		if bytes.Equal(spoiled, buf.Bytes()) {
			t.Fatalf("%s: nothing was spoiled in\n%s", tc.what, buf.String())
		}
		if fault := validate(t, xmllint, spoiled); !strings.Contains(fault, tc.fault) {
			t.Errorf("%s: %q, want a word about %s", tc.what, fault, tc.fault)
		}
	}
}

// checkJUnit counts again, and looks for two cases of one name.
func checkJUnit(t *testing.T, data []byte) {
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
