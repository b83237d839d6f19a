package targets_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

const ownModule = "github.com/seanchatmangpt/clnrm-perf"

// A checkedIn is a copy of one of the repositories in testdata/consumers, whose
// magefiles import the targets.
type checkedIn struct {
	dir string
	env []string
}

func copyOf(t *testing.T, name string) checkedIn {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles a magefile; left out by -short")
	}
	testenv.Tool(t, "go")
	c := checkedIn{dir: t.TempDir()}
	if err := os.CopyFS(c.dir, os.DirFS(filepath.Join("testdata", "consumers", name))); err != nil {
		t.Fatal(err)
	}
	c.env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOSUMDB=off", "MAGEFILE_CACHE="+t.TempDir(), "CLNRM_DIR=", "CLNRM_REF=", "CLNRM_BIN=")
	return c
}

// run runs a command in a folder of the repository.
func (c checkedIn) run(t *testing.T, args ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir, cmd.Env = c.dir, c.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// TestImportedBesideOwnTargets lists and runs the targets in a repository that has a
// Test, Lint, Build and Profile of its own.
func TestImportedBesideOwnTargets(t *testing.T) {
	t.Parallel()
	c := copyOf(t, "go")
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	// The copy lies elsewhere than the line in testdata says. What this module requires,
	// the consumer requires, too; go mod tidy would write it there, with a network.
	own, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	_, required, _ := strings.Cut(string(own), "\nrequire (")
	edit(t, filepath.Join(c.dir, "go.mod"), "=> ../../../../..", "=> "+filepath.ToSlash(root)+"\n\nrequire ("+required)
	if err := copyFile(filepath.Join(root, "go.sum"), filepath.Join(c.dir, "go.sum")); err != nil {
		t.Fatal(err)
	}
	c.run(t, "go", "tool", "mage", "-l").want(t, 0, "perf:benchmarks", "perf:cleanroomSloCheck", "perf:baseline:save", "\n  test ", "\n  lint ", "\n  build ", "\n  profile ")
	c.run(t, "go", "tool", "mage", "test", "profile").want(t, 0, "own test", "own profile")
	c.run(t, "go", "tool", "mage", "perf:plan").want(t, 0, "example.com/greet", "go build", "go test")
	c.run(t, "go", "tool", "mage", "perf:benchmarks", "-only=cli startup,test suite").want(t, 0, "cli startup", "MET", "test suite", "exit status 0")
	nothingLeft(t, c.dir)
	if list := results(t, c.dir); len(list) != 1 || list[0].Suite != "greet" || list[0].Exit != 0 {
		t.Errorf("results of the consumer: %+v, want one that went well", list)
	}
}

// edit replaces old by text in a file, where it must stand.
func edit(t *testing.T, name, old, text string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%s does not hold %q", name, old)
	}
	if err := os.WriteFile(name, bytes.ReplaceAll(data, []byte(old), []byte(text)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestFromTheModuleCache measures a Cargo project whose magefiles are a module of
// their own, with this module as others get it: a release from a proxy, in a module
// cache that nobody may write to.
func TestFromTheModuleCache(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "cargo")
	c := copyOf(t, "cargo")
	cache := t.TempDir()
	c.env = append(c.env, "GOMODCACHE="+cache, "GOPROXY=file://"+filepath.ToSlash(release(t, "v0.0.1"))+",file://"+filepath.ToSlash(downloads(t))+",off")
	t.Cleanup(func() { // its folders are read-only
		cmd := exec.Command("go", "clean", "-modcache")
		cmd.Env = append(os.Environ(), "GOMODCACHE="+cache)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("go clean -modcache: %v\n%s", err, out)
		}
	})
	// As the README says it.
	for _, args := range [][]string{{"-tool", "github.com/magefile/mage@v1.17.2"}, {ownModule + "@v0.0.1"}} {
		c.run(t, append([]string{"go", "-C", "magefiles", "get"}, args...)...).want(t, 0)
	}
	mage := []string{"go", "-C", "magefiles", "tool", "mage", "-d", ".", "-w", ".."}
	c.run(t, append(mage, "-l")...).want(t, 0, "benchmarks", "cleanroomSloCheck")
	if info, err := os.Stat(filepath.Join(cache, ownModule+"@v0.0.1", "perf")); err != nil || info.Mode()&0o200 != 0 {
		t.Fatalf("the module does not come read-only from the cache: %v, %v", info, err)
	}
	c.run(t, append(mage, "plan")...).want(t, 0, "cargo build --release", "cargo test")
	r := c.run(t, append(mage, "cleanroom-slo-check", "-only=build,cli startup", "-json")...).decoded(t)
	if r.Suite != "greet" || r.Exit != 0 || r.Tool.Version != "v0.0.1" {
		t.Errorf("suite %q, exit %d, version %q", r.Suite, r.Exit, r.Tool.Version)
	}
	for _, w := range r.Workloads {
		if w.State != perf.StateOK {
			t.Errorf("%s: %s: %s", w.Name, w.State, w.Reason)
		}
	}
	nothingLeft(t, c.dir)
}

// downloads is where the go command keeps what it has downloaded: the form of a proxy.
func downloads(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "cache", "download")
}

// release makes a proxy (go help goproxy) that offers this tree as a version.
func release(t *testing.T, version string) string {
	t.Helper()
	proxy := t.TempDir()
	dir := filepath.Join(proxy, filepath.FromSlash(ownModule), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join("..", "..")
	archive, err := os.Create(filepath.Join(dir, version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	if err := zip.CreateFromDir(archive, module.Version{Path: ownModule, Version: version}, root); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := copyFile(filepath.Join(root, "go.mod"), filepath.Join(dir, version+".mod")); err != nil {
		t.Fatal(err)
	}
	info := fmt.Sprintf(`{"Version":%q,"Time":"2026-01-01T00:00:00Z"}`, version)
	if err := os.WriteFile(filepath.Join(dir, version+".info"), []byte(info), 0o644); err != nil {
		t.Fatal(err)
	}
	return proxy
}
