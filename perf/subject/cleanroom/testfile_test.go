package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hello is the smallest test file.
const hello = `[meta]
name = "hello"
version = "1.0.0"

[[steps]]
name = "echo"
command = ["echo", "hello"]
expected_output_regex = "hello"
`

// dump is a testFile as text, for goldens.
func dump(t *testFile) string {
	var b strings.Builder
	fmt.Fprintf(&b, "test %q\n", t.name)
	for _, s := range t.services {
		fmt.Fprintf(&b, "service %q plugin %q image %q\n", s.name, s.plugin, s.image)
	}
	steps := func(indent string, steps []step) {
		for _, s := range steps {
			fmt.Fprintf(&b, "%sstep %q runs %q wants %v\n", indent, s.name, s.command, s.want)
			if s.image != "" {
				fmt.Fprintf(&b, "%s  in image %q\n", indent, s.image)
			}
		}
	}
	steps("", t.steps)
	for _, s := range t.scenarios {
		fmt.Fprintf(&b, "scenario %q service %q\n", s.name, s.service)
		steps("  ", s.steps)
	}
	return b.String()
}

func TestParseGolden(t *testing.T) {
	for _, dir := range []string{"valid", "invalid"} {
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*.toml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no file in testdata/%s: %v", dir, err)
		}
		var got strings.Builder
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&got, "== %s\n", filepath.Base(file))
			f, err := parse(filepath.Base(file), string(text))
			if (err == nil) != (dir == "valid") {
				t.Errorf("%s: %v", file, err)
			}
			if err != nil {
				fmt.Fprintf(&got, "%v\n", err)
			} else {
				got.WriteString(dump(f))
			}
		}
		golden(t, dir+".golden", got.String())
	}
}

// TestShiftedLines: where rendering moves lines, the error does not pretend to
// know the line of the file.
func TestShiftedLines(t *testing.T) {
	s := renderSource("f.toml", "{{range seq 1 3}}#\n{{end}}x = !\n", nil)
	if _, err := s.parse(); err == nil || !strings.HasPrefix(err.Error(), "f.toml (rendered):4: ") {
		t.Errorf("got %v", err)
	}
	if _, err := renderSource("f.toml", "{{/* */}}\nx = !\n", nil).parse(); err == nil || !strings.HasPrefix(err.Error(), "f.toml:2: ") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*/*.toml", "selftest/*.toml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: no seed, %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := parse("f", text)
		var pe *parseError
		switch {
		case err == nil && (file.name == "" || len(file.steps)+len(file.scenarios) == 0):
			t.Errorf("accepted a test without a name or without steps: %s", dump(file))
		case err != nil && !errors.As(err, &pe):
			t.Errorf("an error without a line: %v", err)
		case err != nil && (pe.line < 1 || pe.line > strings.Count(text, "\n")+1):
			t.Errorf("line %d of a text with %d: %v", pe.line, strings.Count(text, "\n")+1, err)
		}
	})
}
