package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// lockedBuffer takes the complaints of all commands of a pipeline.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// sh runs line in this process, in a directory that holds a few files.
func sh(t *testing.T, line, stdin string) (out, complaints string, status int) {
	t.Helper()
	path := t.TempDir()
	for name, content := range map[string]string{"f": "one\ntwo\nthree\n", ".hidden": "", "crlf": "a\r\nb", "sub/g": "x"} {
		if dir, _, ok := strings.Cut(name, "/"); ok {
			if err := os.Mkdir(path+"/"+dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path+"/"+name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.OpenRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	var stdout bytes.Buffer
	var stderr lockedBuffer
	p := &process{in: strings.NewReader(stdin), out: bufio.NewWriter(&stdout), err: &stderr, dir: dir, env: []string{"A=1", "B=2"}}
	status = p.call([]string{"sh", "-c", line})
	return stdout.String(), stderr.b.String(), status
}

func TestShell(t *testing.T) {
	for _, tc := range []struct {
		line, out string
		status    int
		complaint string // a part of it; "" for none at all
	}{
		{line: "echo a  b", out: "a b\n"},
		{line: "echo 'a  b' \"c  d\" e\\ \\ f g'h'\"i\"", out: "a  b c  d e  f ghi\n"},
		{line: `echo "a\"b\\c\$d\e" '\'`, out: "a\"b\\c$d\\e \\\n"},
		{line: "echo '' | wc -c", out: "1\n"},
		{line: "echo ä'ö'", out: "äö\n"},
		{line: "true && echo a || echo b", out: "a\n"},
		{line: "false && echo a || echo b", out: "b\n"},
		{line: "false && echo a ; echo b", out: "b\n"},
		{line: "true || echo a && echo b", out: "b\n"},
		{line: "echo a\necho b\n\n", out: "a\nb\n"},
		{line: "; echo a ;", out: "a\n"},
		{line: "", out: ""},
		{line: "false", status: 1},
		{line: "exit 7", status: 7},
		{line: "false ; exit", status: 1},
		{line: "exit 300", status: 2, complaint: "no status from 0 to 255"},
		{line: "echo a ; exit 3 ; echo b", out: "a\n", status: 3},
		{line: "exit 3 | true ; echo a", out: "a\n"},
		{line: "true | exit 3 || echo a", out: "a\n"},
		{line: "sh -c 'exit 4' ; echo a", out: "a\n"},
		{line: "sh -c exit", out: ""},
		{line: "seq 3 | sh -c 'cat | cat ; cat'", out: "1\n2\n3\n"},
		{line: "seq 1 3 | sort -r | cat", out: "3\n2\n1\n"},
		{line: "seq 1 900000000 | grep -q 5 && echo found", out: "found\n"},
		{line: "seq 1 900000000 | true", out: ""},
		{line: "seq 1 900000000 | cat | cat | false", status: 1},
		{line: "echo x > new ; cat new", out: "x\n"},
		{line: "echo x > 'a b' ; cat 'a b'", out: "x\n"},
		{line: "echo a|wc -l>n;cat n", out: "1\n"},
		{line: "echo x > sub/new && ls sub", out: "g\nnew\n"},
		{line: "echo x > ../out", status: 1, complaint: "escapes"},
		{line: "echo x > /out", status: 1, complaint: "escapes"},
		{line: "echo x > sub", status: 1, complaint: "sub"},
		{line: "curl x", status: 127, complaint: "curl: not in the clean room, which has: cat echo"},
		{line: "A=1", status: 127, complaint: "A=1"},

		{line: "echo 'a", status: 2, complaint: "never closed"},
		{line: `echo "a\"`, status: 2, complaint: "never closed"},
		{line: "echo a &&", status: 2, complaint: "missing"},
		{line: "&& echo a", status: 2, complaint: `missing before "&&"`},
		{line: "echo a | ; echo b", status: 2, complaint: "missing"},
		{line: "echo a |", status: 2, complaint: `missing after "|"`},
		{line: "echo a || || echo b", status: 2, complaint: `missing before "||"`},
		{line: "echo >", status: 2, complaint: "file name"},
		{line: "echo a > ''", status: 2, complaint: "file name"},
		{line: "> f", status: 2, complaint: "missing"},
		{line: "echo a >> f", status: 2, complaint: "file name"},
		{line: "echo a 2> f", status: 2, complaint: "2>"},
		{line: "echo $HOME", status: 2, complaint: "'$'"},
		{line: `echo "$HOME"`, status: 2, complaint: "'$'"},
		{line: "echo `ls`", status: 2, complaint: "'`'"},
		{line: "echo *", status: 2, complaint: "'*'"},
		{line: "echo a &", status: 2, complaint: "'&'"},
		{line: "cat < f", status: 2, complaint: "'<'"},
		{line: "echo a # b", status: 2, complaint: "'#'"},
		{line: "(echo a)", status: 2, complaint: "'('"},
	} {
		t.Run(tc.line, func(t *testing.T) {
			out, complaints, status := sh(t, tc.line, "")
			if out != tc.out || status != tc.status {
				t.Errorf("got %q, status %d; want %q, %d; complaints: %s", out, status, tc.out, tc.status, complaints)
			}
			if !strings.Contains(complaints, tc.complaint) || tc.complaint == "" && complaints != "" {
				t.Errorf("complaints %q, want %q", complaints, tc.complaint)
			}
		})
	}
}

func TestApplets(t *testing.T) {
	for _, tc := range []struct {
		line, in, out string
		status        int
	}{
		{line: "cat", in: "a\nb", out: "a\nb"},
		{line: "cat f - f", in: "in\n", out: "one\ntwo\nthree\nin\none\ntwo\nthree\n"},
		{line: "cat absent f", out: "one\ntwo\nthree\n", status: 2},
		{line: "cat ../f", status: 2},
		{line: "echo", out: "\n"},
		{line: "echo -n a", out: "a"},
		{line: "env", out: "A=1\nB=2\n"},
		{line: "ls", out: "crlf\nf\nsub\n"},
		{line: "ls sub", out: "g\n"},
		{line: "ls absent", status: 2},
		{line: "wc", in: "a b\n c\td \n", out: "2 4 10\n"},
		{line: "wc -l f", out: "3 f\n"},
		{line: "wc -wc", in: "\n\nx", out: "1 3\n"},
		{line: "wc -x", status: 2},
		{line: "seq 3", out: "1\n2\n3\n"},
		{line: "seq 5 2", out: ""},
		{line: "seq 5 -2 1", out: "5\n3\n1\n"},
		{line: "seq -1 1", out: "-1\n0\n1\n"},
		{line: "seq 1 0 3", status: 2},
		{line: "seq a", status: 2},
		{line: "seq", status: 2},
		{line: "sort", in: "b\na\nB\n", out: "B\na\nb\n"},
		{line: "sort -n", in: "10\n9\n-1\nx\n", out: "-1\nx\n9\n10\n"},
		{line: "sort -nr", in: "10 a\n9 b\n", out: "10 a\n9 b\n"},
		{line: "sort -u -r", in: "a\nb\na", out: "b\na\n"},
		{line: "sort f -", in: "four\n", out: "four\none\nthree\ntwo\n"},
		{line: "sort absent", status: 2},
		{line: "grep ^t f", out: "two\nthree\n"},
		{line: "grep -v o f", out: "three\n"},
		{line: "grep -i TWO f", out: "two\n"},
		{line: "grep -c e f", out: "2\n"},
		{line: "grep -c zzz f", out: "0\n", status: 1},
		{line: "grep -q one f", out: ""},
		{line: "grep zzz f", status: 1},
		{line: "grep -E 'one|two' f", out: "one\ntwo\n"},
		{line: "grep -- -a", in: "-a\n", out: "-a\n"},
		{line: "grep 'a('", status: 2},
		{line: "grep", status: 2},
		{line: "grep x absent", status: 2},
		{line: "sha256sum", in: "abc", out: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  -\n"},
		{line: "sha256sum absent", status: 2},
		{line: "true x"},
		{line: "sh", status: 2},
	} {
		t.Run(tc.line, func(t *testing.T) {
			out, complaints, status := sh(t, tc.line, tc.in)
			if out != tc.out || status != tc.status {
				t.Errorf("got %q, status %d; want %q, %d; complaints: %s", out, status, tc.out, tc.status, complaints)
			}
		})
	}
}

// TestAppletNames: the list in messages and the switch know the same names.
func TestAppletNames(t *testing.T) {
	names := strings.Fields(appletNames)
	if !slices.IsSorted(names) {
		t.Errorf("not sorted: %s", appletNames)
	}
	for _, name := range names {
		if name != "exit" && findApplet(name) == nil { // exit is the shell's
			t.Errorf("%s is listed and not there", name)
		}
	}
}

// TestMultiCall: under the name of an applet the program is that applet.
func TestMultiCall(t *testing.T) {
	r := newRoom(t, nil)
	for _, tc := range []struct{ argv0, arg, want string }{{"/bin/echo", "a", "a\n"}, {`seq.exe`, "1", "1\n"}} {
		cmd := r.command(tc.arg)
		cmd.Args[0] = tc.argv0
		out, err := cmd.Output()
		if string(out) != tc.want || err != nil {
			t.Errorf("as %s: got %q, %v", tc.argv0, out, err)
		}
	}
	if out, _, status := r.call("applet", "echo", "--help"); out != "--help\n" || status != 0 {
		t.Errorf("got %q, status %d", out, status)
	}
}

// FuzzShell: what single quotes hold comes back as it was, and no line, however
// wrong, is a panic or half understood.
func FuzzShell(f *testing.F) {
	for _, s := range []string{"echo a | b && c > d", "'", `"\`, "a\\", "2>x", "&&", ";;", "\x00\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := parseShell(s)
		for _, l := range list {
			for _, c := range l.commands {
				if len(c.words) == 0 || err != nil {
					t.Errorf("%q: a command without words, or beside the error %v", s, err)
				}
			}
		}
		if s == "" {
			return // a file without a name is refused
		}
		word := strings.ReplaceAll(s, "'", `'\''`)
		list, err = parseShell(fmt.Sprintf("a '%s' > '%s'", word, word))
		if err != nil || len(list) != 1 || len(list[0].commands) != 1 {
			t.Fatalf("quoted %q: %v, %v", s, list, err)
		}
		if c := list[0].commands[0]; !slices.Equal(c.words, []string{"a", s}) || c.output != s {
			t.Errorf("quoted %q came back as %q", s, c)
		}
	})
}
