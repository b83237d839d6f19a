package report

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var update = flag.Bool("update", false, "write the golden files")

// golden renders twice, plain and in colours, holds each against its golden file (or
// writes it under -update), and checks what must hold of every text for a terminal.
func golden(t *testing.T, name string, render func(io.Writer, Style) error) {
	t.Helper()
	plain, painted := new(bytes.Buffer), new(bytes.Buffer)
	if err := render(plain, Style{}); err != nil {
		t.Fatal(err)
	}
	if err := render(painted, Style{Color: true}); err != nil {
		t.Fatal(err)
	}
	checkGolden(t, name+".golden", plain.Bytes())
	checkGolden(t, name+".color.golden", painted.Bytes())
	checkText(t, name, plain.String())
	if got := paintEscape.ReplaceAllString(painted.String(), ""); got != plain.String() {
		t.Errorf("%s: without its colours the painted text is another:\n%s", name, got)
	}
}

// paintEscape matches what colours are made of, and nothing that moves the cursor.
var paintEscape = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// checkText holds what no text for a terminal may contain.
func checkText(t *testing.T, name, text string) {
	t.Helper()
	if !strings.HasSuffix(text, "\n") {
		t.Errorf("%s does not end in a newline", name)
	}
	for i, line := range strings.Split(text, "\n") {
		if strings.TrimRight(line, " ") != line {
			t.Errorf("%s:%d: a space at the end of %q", name, i+1, line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }) {
			t.Errorf("%s:%d: a control character in %q", name, i+1, line)
		}
	}
}

func checkGolden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (write it with -update)", err)
	}
	// A checkout on Windows may have turned the line ends.
	want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what was written (-update accepts it):\n%s", path, got)
	}
}
