package suite

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// splits are lines that SplitWords takes, and that a shell must split in the same way.
var splits = []struct {
	line string
	want []string
}{
	{"a", []string{"a"}},
	{"  a\tb  ", []string{"a", "b"}},
	{"a ''", []string{"a", ""}},
	{`a ""`, []string{"a", ""}},
	{`'a b'c"d e"f`, []string{"a bcd ef"}},
	{`a\ b`, []string{"a b"}},
	{`\a\'\"\\`, []string{`a'"\`}},
	{`"\a\$\"\\\` + "`" + `"`, []string{`\a$"\` + "`"}},
	{`'\a$x'`, []string{`\a$x`}},
	{"'a\nb'", []string{"a\nb"}},
	{"a\\\nb", []string{"ab"}},
	{"a \\\n b", []string{"a", "b"}},
	{"\"a\\\nb\"", []string{"ab"}},
	{"^x$ a$. $", []string{"^x$", "a$.", "$"}},
	{`"x$" "$ "`, []string{"x$", "$ "}},
	{"a#b a~b [ ]", []string{"a#b", "a~b", "[", "]"}},
	{`\# \~ \* \[a] '*' "?"`, []string{"#", "~", "*", "[a]", "*", "?"}},
	{"{n}", []string{"{n}"}},
	{"größe 日本 é", []string{"größe", "日本", "é"}},
	{"a\u00a0b", []string{"a\u00a0b"}},
	{"-x=1,2 --y=+3% @a:b", []string{"-x=1,2", "--y=+3%", "@a:b"}},
}

func TestSplitWords(t *testing.T) {
	for _, row := range splits {
		got, err := SplitWords(row.line)
		if err != nil || !slices.Equal(got, row.want) {
			t.Errorf("SplitWords(%q) = %q, %v; want %q", row.line, got, err, row.want)
		}
	}
	// A shell would start two commands here; a person wraps a long line.
	if got, err := SplitWords("a\r\nb\n"); err != nil || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("over two lines: %q, %v", got, err)
	}
}

func TestSplitWordsRefuses(t *testing.T) {
	for line, reason := range map[string]string{
		"": "no word", " \t\n": "no word",
		"a 'b": "the ' is never closed", `a "b`: `the " is never closed`, `a "b\"`: `the " is never closed`,
		`a\`: "ends in a backslash", `"a\`: "never closed",
		"a | b": "'|' is for a shell", "a&&b": "'&'", "a;b": "';'", "a >b": "'>'", "a<b": "'<'", "(a)": "'('", "a`b`": "'`'",
		"a $b": "'$' would be expanded", "${b}": "'$'", "$(b)": "'$'", "a$1": "'$'", "$'b'": "'$'", `$"b"`: "'$'", "$?": "'$'",
		`"$b"`: "'$' would be expanded by a shell inside", "\"`b`\"": "inside", `"${b}"`: "inside",
		"ls *.go": "'*' would be expanded", "a?": "'?'", "[ab]c": "'['", "~/a": "'~'", "a ~": "'~'",
		"a #b": "comment",
	} {
		got, err := SplitWords(line)
		if err == nil || !strings.Contains(err.Error(), reason) || got != nil {
			t.Errorf("SplitWords(%q) = %q, %v; want an error with %q", line, got, err, reason)
		}
	}
}

// shellWords asks a shell to split the line.
func shellWords(t *testing.T, sh, line string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), sh, "-c", `printf '%s\0' `+line)
	cmd.Env = append(cmd.Environ(), "WORK=/w")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("sh on %q: %v", line, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func TestSplitWordsAgreesWithShell(t *testing.T) {
	sh := testenv.Tool(t, "sh")
	for _, row := range splits {
		if got := shellWords(t, sh, row.line); !slices.Equal(got, row.want) {
			t.Errorf("sh splits %q into %q, and SplitWords into %q", row.line, got, row.want)
		}
	}
}

// nasty are words of which each makes trouble for somebody who quotes carelessly.
var nasty = []string{
	"", " ", "a", "it's", `"`, `\`, "''", "$HOME", "$WORK/a", "$WORKER", "`id`", "*", "a\nb", "a\tb\r", "~", "#", "!", "{a,b}", "-n", "=", "a=b",
	"\xff\xfe", "日本", "\u202e", "\x1b[31m", "|", "&&", "(", "[x]", "é'è",
}

func TestJoinWords(t *testing.T) {
	for _, row := range []struct {
		words []string
		want  string
	}{
		{[]string{"go", "test", "-run=^x", "./a.b"}, "go test -run=^x ./a.b"},
		{[]string{"a b", "", "it's"}, `'a b' '' 'it'\''s'`},
		{[]string{"$WORK/a"}, "'$WORK/a'"},
	} {
		if got := JoinWords(row.words); got != row.want {
			t.Errorf("JoinWords(%q) = %s, want %s", row.words, got, row.want)
		}
	}
	back, err := SplitWords(JoinWords(nasty))
	if err != nil || !slices.Equal(back, nasty) {
		t.Errorf("split again: %q, %v", back, err)
	}
}

func TestJoinWordsAgreesWithShell(t *testing.T) {
	sh := testenv.Tool(t, "sh")
	if got := shellWords(t, sh, JoinWords(nasty)); !slices.Equal(got, nasty) {
		t.Errorf("sh reads %q, want %q", got, nasty)
	}
}

// A command as the reader sees it runs in a shell that has a variable WORK.
func TestCommandString(t *testing.T) {
	words := []string{"$WORK/bin/x y", "--dir=$WORK", "$WORK/a$WORK/b", "$WORKER", "it's $WORK"}
	const want = `$WORK'/bin/x y' --dir=$WORK $WORK/a$WORK/b '$WORKER' 'it'\''s '$WORK`
	if got := (Command{Args: words}).String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	sh := testenv.Tool(t, "sh")
	got, expanded := shellWords(t, sh, want), Command{Args: words}.Expand("/w").Args
	if !slices.Equal(got, expanded) {
		t.Errorf("a shell makes %q of it, and Expand %q", got, expanded)
	}
}

// FuzzJoinSplit holds that what JoinWords writes, SplitWords reads back, and that no
// line makes SplitWords panic or return other words when joined and split again.
func FuzzJoinSplit(f *testing.F) {
	for _, w := range nasty {
		f.Add(w, "b")
	}
	for _, row := range splits {
		f.Add(row.line, "")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		words := []string{a, b, a + b}
		back, err := SplitWords(JoinWords(words))
		if err != nil || !slices.Equal(back, words) {
			t.Errorf("%q became %q, %v", words, back, err)
		}
		if words, err = SplitWords(a); err != nil {
			return
		}
		if back, err = SplitWords(JoinWords(words)); err != nil || !slices.Equal(back, words) {
			t.Errorf("the line %q: %q became %q, %v", a, words, back, err)
		}
	})
}

// FuzzAgreesWithShell holds that a line that SplitWords takes means the same to a
// shell. Only run with -fuzz does it start a shell for more than its seeds.
func FuzzAgreesWithShell(f *testing.F) {
	for _, row := range splits {
		f.Add(row.line)
	}
	sh, err := exec.LookPath("sh")
	f.Fuzz(func(t *testing.T, line string) {
		if err != nil {
			testenv.Missing(t, "sh", err.Error())
		}
		words, err := SplitWords(line)
		// Unquoted line ends are white space here, and a process takes no NUL.
		if err != nil || strings.ContainsAny(line, "\n\r\x00") {
			return
		}
		if got := shellWords(t, sh, line); !slices.Equal(got, words) {
			t.Errorf("sh splits %q into %q, and SplitWords into %q", line, got, words)
		}
	})
}
