package targets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"golang.org/x/mod/modfile"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/experiment"
	"github.com/seanchatmangpt/clnrm-perf/perf/suite"
)

// modulePath is this module: in its own repository the embedded subject is measured.
const modulePath = "github.com/seanchatmangpt/clnrm-perf"

// used is the suite that the importing magefile chose.
var used *suite.Suite

// Use makes the targets measure s. A magefile calls it in an init function; without
// it, the root of the repository decides.
func Use(s suite.Suite) { used = &s }

// version is that of this module in the running binary.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path == modulePath && m.Version != "" {
			return m.Version
		}
	}
	return "(devel)"
}

// A source is a suite and, where it is measured at another ref than the one that is
// checked out, that ref of the repository repo.
type source struct {
	suite     suite.Suite
	repo, ref string
	// built says that the user named a binary: which commit it was built from, nobody
	// can tell, and least of all the checkout beside it.
	built bool
}

// checkout puts the source's ref into the folder of the run, if it has one. remove
// must be called.
func (s source) checkout(ctx context.Context, work string) (remove func() error, err error) {
	if s.ref == "" {
		return func() error { return nil }, nil
	}
	tree, err := experiment.AddWorktree(ctx, s.repo, s.ref, filepath.Join(work, "src"))
	if err != nil {
		return nil, err
	}
	return tree.Remove, nil
}

// commit says what source is measured; work is the folder of the run.
func (s source) commit(ctx context.Context, work string) (perf.Subject, []perf.Warning) {
	if s.built {
		return perf.Subject{}, []perf.Warning{{Kind: perf.WarnEnvironment, Text: "the commit of the subject is unknown: CLNRM_BIN names a binary that was built before"}}
	}
	return experiment.Commit(ctx, strings.ReplaceAll(s.suite.Dir, suite.Work, work))
}

// subject decides what is measured: what Use was given, what the environment names,
// or what the root of the repository shows.
func subject(ctx context.Context) (source, error) {
	root, err := os.Getwd()
	if err != nil {
		return source{}, fmt.Errorf("finding the root of the repository: %w", err)
	}
	if s, ok, err := clnrm(ctx, root); ok || err != nil {
		return s, err
	}
	if used != nil {
		return source{suite: *used}, nil
	}
	return shownBy(ctx, root)
}

// shownBy is what the root of a project shows.
func shownBy(ctx context.Context, root string) (source, error) {
	module, err := goModule(filepath.Join(root, "go.mod"))
	switch {
	case err != nil:
		return source{}, err
	case module == modulePath:
		return source{suite: suite.Cleanroom(root, exeSuffix())}, nil
	case exists(filepath.Join(root, "Cargo.toml")):
		s, err := cargoProject(ctx, root)
		return source{suite: s}, err
	case module != "":
		s, err := goProject(ctx, root, module)
		return source{suite: s}, err
	}
	return source{}, perf.Usagef("%s shows neither a Cargo.toml nor a go.mod: set CLNRM_DIR or CLNRM_BIN to measure clnrm, or call targets.Use in the magefile", root)
}

// clnrm reads CLNRM_DIR, CLNRM_REF and CLNRM_BIN. Whatever is wrong with them is said
// before anything is run.
func clnrm(ctx context.Context, root string) (source, bool, error) {
	dir, ref, bin := os.Getenv("CLNRM_DIR"), os.Getenv("CLNRM_REF"), os.Getenv("CLNRM_BIN")
	if dir == "" && ref == "" && bin == "" {
		return source{}, false, nil
	}
	if bin != "" && ref != "" {
		return source{}, true, perf.Usagef("CLNRM_BIN names a built binary and CLNRM_REF a ref to build: set one of them")
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	var s source
	var err error
	switch {
	case bin != "":
		s, err = clnrmBinary(dir, bin)
	case !exists(filepath.Join(dir, "Cargo.toml")):
		err = perf.Usagef("CLNRM_DIR: %s holds no Cargo.toml: name the root of a clnrm checkout", dir)
	case ref != "":
		s, err = clnrmRef(ctx, dir, ref)
	default:
		s.suite = suite.Clnrm(suite.ClnrmOptions{Dir: dir, Exe: exeSuffix()})
	}
	return s, true, err
}

// clnrmBinary is the binary that CLNRM_BIN names, run in dir.
func clnrmBinary(dir, bin string) (source, error) {
	abs, err := filepath.Abs(bin)
	if info, serr := os.Stat(abs); err != nil || serr != nil || !info.Mode().IsRegular() {
		return source{}, perf.Usagef("CLNRM_BIN: there is no file %s", bin)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return source{}, perf.Usagef("CLNRM_DIR: there is no folder %s", dir)
	}
	return source{suite: suite.Clnrm(suite.ClnrmOptions{Dir: dir, Binary: abs, Exe: exeSuffix()}), built: true}, nil
}

// clnrmRef is the commit that CLNRM_REF names in the repository at dir. It is looked
// up now, so that a branch which moves meanwhile does not matter.
func clnrmRef(ctx context.Context, dir, ref string) (source, error) {
	commit, err := experiment.FindCommit(ctx, dir, ref)
	if err != nil {
		return source{}, fmt.Errorf("CLNRM_REF: %w", err)
	}
	s := suite.Clnrm(suite.ClnrmOptions{Dir: suite.Work + "/src", Exe: exeSuffix()})
	s.Subject = "clnrm at " + ref
	return source{suite: s, repo: dir, ref: commit}, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func exeSuffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// goModule reads the module path from a go.mod; no file is an empty path.
func goModule(path string) (string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the module path: %w", err)
	}
	module := modfile.ModulePath(data)
	if module == "" {
		return "", fmt.Errorf("reading the module path: %s has no valid module line (go mod init writes one)", path)
	}
	return module, nil
}

// goProject asks the go command which programs the module has. A package that does
// not compile is no error here: it is the build that is to say so. A module without
// packages, as one that only holds the magefile, has nothing that could be measured,
// though go build is content with it.
func goProject(ctx context.Context, root, module string) (suite.Suite, error) {
	out, err := output(ctx, root, "go", "list", "-e", "-find", "-f", "{{.Name}} {{.ImportPath}}", "./...")
	if err != nil {
		return suite.Suite{}, err
	}
	packages, mains := 0, []string(nil)
	for line := range strings.Lines(out) {
		packages++
		if main, ok := strings.CutPrefix(strings.TrimSpace(line), "main "); ok {
			mains = append(mains, main)
		}
	}
	if packages == 0 {
		return suite.Suite{}, perf.Usagef("the module %s in %s has no packages to measure: call targets.Use in the magefile, or set CLNRM_DIR or CLNRM_BIN to measure clnrm", module, root)
	}
	return suite.GoModule(suite.GoModuleOptions{Dir: root, Name: module, Mains: mains, Exe: exeSuffix(), Null: os.DevNull}), nil
}

// crates is what cargo metadata says (cargo-metadata(1)), as far as it matters here.
type crates struct {
	Packages []struct {
		ID       string
		Name     string
		Manifest string `json:"manifest_path"`
		Targets  []struct {
			Name     string
			Kind     []string
			Requires []string `json:"required-features"`
		}
	}
	// Default holds the ids of the packages that cargo builds in the root; cargo
	// before 1.71 does not say.
	Default []string `json:"workspace_default_members"`
}

// cargoProject asks cargo for the name and the programs of the project. A project
// whose program is clnrm is clnrm.
func cargoProject(ctx context.Context, root string) (suite.Suite, error) {
	out, err := output(ctx, root, "cargo", "metadata", "--no-deps", "--offline", "--format-version=1")
	if err != nil {
		return suite.Suite{}, err
	}
	var c crates
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		return suite.Suite{}, fmt.Errorf("reading what cargo metadata says of %s: %w", root, err)
	}
	o := suite.CargoOptions{Dir: root, Name: c.name(root), Bins: c.programs(), Benches: c.benches(), Exe: exeSuffix()}
	if slices.Contains(o.Bins, "clnrm") {
		return suite.Clnrm(suite.ClnrmOptions{Dir: root, Exe: o.Exe}), nil
	}
	return suite.Cargo(o), nil
}

// name is that of the package in the root, or of the root's folder where that is
// only a workspace.
func (c crates) name(root string) string {
	manifest, err := os.Stat(filepath.Join(root, "Cargo.toml"))
	for _, p := range c.Packages {
		if info, perr := os.Stat(p.Manifest); err == nil && perr == nil && os.SameFile(info, manifest) {
			return p.Name
		}
	}
	return filepath.Base(root)
}

// programs are what cargo build makes in the root: of the packages that it builds
// there, those programs that need no feature.
func (c crates) programs() []string {
	var out []string
	for _, p := range c.Packages {
		if c.Default != nil && !slices.Contains(c.Default, p.ID) {
			continue
		}
		for _, t := range p.Targets {
			if slices.Equal(t.Kind, []string{"bin"}) && len(t.Requires) == 0 {
				out = append(out, t.Name)
			}
		}
	}
	return out
}

// benches are the benchmarks of the packages that cargo builds in the root which use
// Criterion.
func (c crates) benches() []string {
	var out []string
	for _, p := range c.Packages {
		if c.Default != nil && !slices.Contains(c.Default, p.ID) {
			continue
		}
		own, err := criterionBenches(p.Manifest)
		if err != nil {
			continue // cargo has read the manifest, and says what is wrong with it in the build
		}
		for _, t := range p.Targets {
			if slices.Equal(t.Kind, []string{"bench"}) && len(t.Requires) == 0 && slices.Contains(own, t.Name) {
				out = append(out, t.Name)
			}
		}
	}
	return out
}

// manifest is a Cargo.toml, as far as cargo metadata does not tell it.
type manifest struct {
	Bench []struct {
		Name    string
		Harness *bool
	}
	Dependencies    map[string]any
	DevDependencies map[string]any `toml:"dev-dependencies"`
}

// criterionBenches are the benchmarks of a package that bring their own main function, in
// a package that knows Criterion. The other ones are of the test harness of nightly Rust.
func criterionBenches(path string) ([]string, error) {
	var m manifest
	if _, err := toml.DecodeFile(path, &m); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if m.Dependencies["criterion"] == nil && m.DevDependencies["criterion"] == nil {
		return nil, nil
	}
	var out []string
	for _, b := range m.Bench {
		if b.Harness != nil && !*b.Harness {
			out = append(out, b.Name)
		}
	}
	return out, nil
}

// output runs a command that looks at the project and returns what it prints.
func output(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("looking at the project in %s: %w (the target doctor says how to install it)", dir, err)
	}
	if err != nil {
		return "", fmt.Errorf("looking at the project: %s in %s: %w\n%s", strings.Join(args, " "), dir, err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}
