package gocache

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// verb makes the test binary a cache: the go command starts it as one.
const verb = "serve-a-cache"

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == verb {
		if err := Serve(os.Args[2], os.Args[3:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// build builds the module in dir with the go command and returns the import paths of what
// it compiled. Without others no program serves the cache.
func build(t *testing.T, dir, own string, others ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-v", "-o", filepath.Join(t.TempDir(), "program.exe"))
	prog := ""
	if others != nil {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		prog = strings.Join(append([]string{exe, verb, own}, others...), " ")
	}
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOCACHE="+own, "GOCACHEPROG="+prog, "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.Fields(string(out))
}

// content maps the names of a cache's files to what they hold.
func content(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestBuild(t *testing.T) {
	testenv.Tool(t, "go")
	users, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir, first, second := t.TempDir(), t.TempDir(), t.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.com/hello\n", "main.go": "package main\n\nfunc main() { println(`hello`) }\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The user may never have built anything.
	if made := build(t, dir, first, strings.TrimSpace(string(users))); len(made) == 0 {
		t.Error("a package that nobody has built was not compiled")
	}
	before := content(t, first)
	if made := build(t, dir, second, first); len(made) > 0 {
		t.Errorf("compiled anew, where another cache has them: %q", made)
	}
	for name, text := range content(t, first) {
		if before[name] != text {
			t.Errorf("the other cache was changed: %s", name)
		}
	}
	if err := os.RemoveAll(first); err != nil {
		t.Fatal(err)
	}
	if made := build(t, dir, second); len(made) > 0 {
		t.Errorf("compiled anew without the program, where the folder has them: %q", made)
	}
	if made := build(t, dir, second, first); len(made) > 0 {
		t.Errorf("compiled anew, where the cache's own folder has them: %q", made)
	}
}

// talk sends requests to a cache and returns its answers, the first of which says what it
// can do.
func talk(t *testing.T, own string, others []string, lines ...string) []response {
	t.Helper()
	var out bytes.Buffer
	if err := Serve(own, others, strings.NewReader(strings.Join(lines, "\n\n")), &out); err != nil {
		t.Fatal(err)
	}
	var all []response
	for in := json.NewDecoder(&out); ; {
		var r response
		if err := in.Decode(&r); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
}

// id is a key as requests have it.
func id(of string) string {
	sum := sha256.Sum256([]byte(of))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func put(action, output string) string {
	return fmt.Sprintf("{\"ID\":7,\"Command\":\"put\",\"ActionID\":%q,\"OutputID\":%q,\"BodySize\":%d}\n%q",
		id(action), id(output), len(output), base64.StdEncoding.EncodeToString([]byte(output)))
}

func get(action string) string {
	return fmt.Sprintf(`{"ID":8,"Command":"get","ActionID":%q}`, id(action))
}

func TestPutAndGet(t *testing.T) {
	own := t.TempDir()
	r := talk(t, own, nil, put("a", "output"), get("a"), get("b"), `{"ID":9,"Command":"close"}`, get("a"))
	if len(r) != 5 || len(r[0].KnownCommands) != 3 || r[4].ID != 9 {
		t.Fatalf("%+v: want what it can do, three answers, and the end", r)
	}
	if r[1].ID != 7 || r[1].Err != "" || r[1].DiskPath != r[2].DiskPath || !r[3].Miss {
		t.Errorf("%+v", r)
	}
	if data, err := os.ReadFile(r[2].DiskPath); string(data) != "output" || r[2].Size != 6 || r[2].Time == nil {
		t.Errorf("%q %v %+v", data, err, r[2])
	}
	// The same of another action, which is empty, and a stored one with nothing in it.
	empty := fmt.Sprintf(`{"ID":7,"Command":"put","ActionID":%q,"OutputID":%q}`, id("c"), id(""))
	r = talk(t, own, nil, put("b", "output"), get("b"), empty, get("c"))
	if r[2].Miss || r[3].Err != "" || r[4].Miss || r[4].Size != 0 {
		t.Errorf("%+v", r)
	}
}

func TestNonsense(t *testing.T) {
	for _, line := range []string{
		`{"ID":1,"Command":"steal"}`,
		`{"ID":1,"Command":"put","ActionID":"AAAA","OutputID":"AAAA"}`,
		fmt.Sprintf(`{"ID":1,"Command":"put","ActionID":%q,"OutputID":"","BodySize":0}`, id("a")),
		strings.Replace(put("a", "output"), `"BodySize":6`, `"BodySize":7`, 1),
	} {
		if r := talk(t, t.TempDir(), nil, line); len(r) != 2 || r[1].Err == "" {
			t.Errorf("%s: %+v, want an error", line, r)
		}
	}
	if r := talk(t, t.TempDir(), nil, `{"ID":1,"Command":"get"}`); !r[1].Miss {
		t.Errorf("%+v, want a miss", r)
	}
	for line, want := range map[string]string{
		"nonsense":                              "asks its cache",
		`{"ID":"x"}`:                            "asks its cache",
		`{"ID":1,"Command":"put","BodySize":5}`: "stores in its cache",
		`{"ID":1,"Command":"put","BodySize":5} "no*64"`: "stores in its cache",
	} {
		if err := Serve(t.TempDir(), nil, strings.NewReader(line), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", line, err, want)
		}
	}
}

// What is wrong with another cache makes the go command do the work itself.
func TestDamagedCache(t *testing.T) {
	for name, damage := range map[string]func(note, output string) error{
		"no output":      func(_, output string) error { return os.Remove(output) },
		"short output":   func(_, output string) error { return os.Truncate(output, 3) },
		"other bytes":    func(_, output string) error { return os.WriteFile(output, []byte("OUTPUT"), 0o600) },
		"empty note":     func(note, _ string) error { return os.Truncate(note, 0) },
		"short note":     func(note, _ string) error { return os.Truncate(note, 100) },
		"another action": func(note, _ string) error { return edit(note, "v1 ", "v1 0") },
		"another format": func(note, _ string) error { return edit(note, "v1 ", "v2 ") },
		"a size in hex":  func(note, _ string) error { return edit(note, " 6 ", " f ") },
		"a sum of one": func(note, _ string) error {
			return edit(note, fmt.Sprintf("%x", sha256.Sum256([]byte("output"))), "ab")
		},
		"a folder": func(_, output string) error {
			return errors.Join(os.Remove(output), os.Mkdir(output, 0o755))
		},
	} {
		t.Run(name, func(t *testing.T) {
			other := t.TempDir()
			output := talk(t, other, nil, put("a", "output"))[1].DiskPath
			notes, err := filepath.Glob(filepath.Join(other, "*", "*-a"))
			if err != nil || len(notes) != 1 {
				t.Fatal(notes, err)
			}
			if r := talk(t, t.TempDir(), []string{other}, get("a")); r[1].Miss {
				t.Fatal("a miss before it is damaged")
			}
			if err := damage(notes[0], output); err != nil {
				t.Fatal(err)
			}
			if r := talk(t, t.TempDir(), []string{other}, get("a")); !r[1].Miss || r[1].Err != "" {
				t.Errorf("%+v, want a miss", r[1])
			}
			good := t.TempDir()
			talk(t, good, nil, put("a", "output"))
			if r := talk(t, t.TempDir(), []string{other, good}, get("a")); r[1].Miss {
				t.Error("a miss, where the next cache has it")
			}
		})
	}
}

// edit replaces text in a file.
func edit(name, old, text string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if !strings.Contains(string(data), old) {
		return fmt.Errorf("%s has no %q", name, old)
	}
	return os.WriteFile(name, []byte(strings.Replace(string(data), old, text, 1)), 0o600)
}

// What is damaged in the cache's own folder is taken over again, or made again.
func TestDamagedFolder(t *testing.T) {
	for name, damage := range map[string]func(output string) error{
		"other bytes": func(output string) error { return os.WriteFile(output, []byte("OUTPUT"), 0o600) },
		"too short":   func(output string) error { return os.Truncate(output, 3) },
		"nothing":     os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			own, other := t.TempDir(), t.TempDir()
			talk(t, other, nil, put("a", "output"))
			output := talk(t, own, nil, put("a", "output"))[1].DiskPath
			check := func(what string, r response) {
				t.Helper()
				if data, err := os.ReadFile(output); string(data) != "output" || r.Miss || r.Err != "" || r.DiskPath != output {
					t.Errorf("%s: %q (%v), %+v", what, data, err, r)
				}
			}
			if err := damage(output); err != nil {
				t.Fatal(err)
			}
			if name != "other bytes" { // nobody reads it all, as the go command does not
				check("taken over", talk(t, own, []string{other}, get("a"))[1])
				if err := damage(output); err != nil {
					t.Fatal(err)
				}
			}
			check("made", talk(t, own, nil, put("a", "output"))[1])
		})
	}
}

// The other caches are only read: not even their times change, which say what was used.
func TestOthersAreOnlyRead(t *testing.T) {
	own, other := t.TempDir(), t.TempDir()
	talk(t, other, nil, put("a", "output"))
	then := time.Now().Add(-keep).Truncate(time.Second)
	var names []string
	for name := range content(t, other) {
		names = append(names, name)
		if err := os.Chtimes(name, then, then); err != nil {
			t.Fatal(err)
		}
	}
	talk(t, own, []string{other}, get("a"), get("a"))
	got := talk(t, own, []string{other}, get("a"), put("a", "output"))
	if !strings.HasPrefix(got[1].DiskPath, own) {
		t.Errorf("%s is not in the folder of the cache", got[1].DiskPath)
	}
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || !info.ModTime().Equal(then) {
			t.Errorf("%s was touched: %v, %v", name, info.ModTime(), err)
		}
	}
}

func TestCheckOutput(t *testing.T) {
	var out bytes.Buffer
	if err := Serve(t.TempDir(), nil, strings.NewReader(""), &out); err != nil {
		t.Fatal(err)
	}
	for printed, good := range map[string]bool{out.String(): true, "hello\n" + out.String(): false, "{}\n": false, "": false} {
		if err := CheckOutput([]byte(printed)); (err == nil) != good {
			t.Errorf("%q: %v", printed, err)
		}
	}
}

func TestTrim(t *testing.T) {
	own := t.TempDir()
	paths := map[string]string{}
	for _, action := range []string{"old", "used", "new"} {
		paths[action] = talk(t, own, nil, put(action, "output of "+action))[1].DiskPath
	}
	now := time.Now()
	age := func(pattern string, by time.Duration) {
		names, err := filepath.Glob(filepath.Join(own, pattern))
		if err != nil || len(names) == 0 {
			t.Fatal(pattern, err)
		}
		for _, name := range names {
			if err := os.Chtimes(name, now.Add(-by), now.Add(-by)); err != nil {
				t.Fatal(err)
			}
		}
	}
	age("*/*", keep+2*exactTo)
	talk(t, own, nil, get("used"), put("new", "more than that"))
	if r := talk(t, own, nil, get("old")); r[1].Miss {
		t.Error("trimmed on the day of the last time")
	}
	tool := filepath.Join(own, "ab", "abcd-d") // a program that the go command ran
	if err := errors.Join(os.MkdirAll(tool, 0o755), os.WriteFile(filepath.Join(tool, "tool"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	age("*/*", keep+2*exactTo)
	talk(t, own, nil, get("used"), put("new", "output of new"))
	stamp := fmt.Sprintln(now.Add(-lookEvery - time.Hour).Unix())
	if err := os.WriteFile(filepath.Join(own, "trim.txt"), []byte(stamp), 0o600); err != nil {
		t.Fatal(err)
	}
	r := talk(t, own, nil, get("old"), get("used"), put("last", "output"))
	if !r[1].Miss || r[2].Miss {
		t.Errorf("%+v: want what nobody used to be gone, and the rest to be there", r)
	}
	for _, name := range []string{paths["old"], tool} {
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was to be trimmed: %v", name, err)
		}
	}
}

func FuzzServe(f *testing.F) {
	f.Add([]byte(put("a", "output") + get("a") + `{"ID":9,"Command":"close"}`))
	f.Add([]byte(`{"ID":1,"Command":"get","ActionID":"AAAA"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		_ = Serve(t.TempDir(), []string{t.TempDir()}, bytes.NewReader(data), &out)
		for in := json.NewDecoder(&out); ; {
			var r response
			if err := in.Decode(&r); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				t.Fatal(err)
			}
			if r.DiskPath == "" {
				continue
			}
			if info, err := os.Stat(r.DiskPath); err != nil || info.Size() != r.Size {
				t.Fatalf("%+v: %v", r, err)
			}
		}
	})
}
