// Package baseline keeps results as files and finds them again: one JSON file a
// result, replaced as a whole or not at all.
//
// A [Store] holds baselines, which are committed beside the code: a result that was
// given a name, under its suite and the fingerprint of the machine that made it.
// [Runs] holds what each run measured, in a folder of its own; a run that is
// interrupted leaves there what it had until then. Both write by [WriteFile], so that
// a full disk, a crash or a second writer leaves a whole file behind, the old one or
// the new one.
//
// The package judges nothing: whether two results differ is for perf/stats, what a
// result may contain is for [perf.Result.CheckValid].
package baseline

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// A Store is a folder of baselines, laid out as
// <suite>/<fingerprint>/<name>.json. The folder need not exist before the first
// [Store.Save].
type Store struct {
	Dir string
}

// An Entry is one baseline of a [Store]: where it lies and what its file says of
// itself.
type Entry struct {
	Suite       string
	Fingerprint string
	Name        string
	Path        string
	ID          string // of the run that it came from
	Mode        string
	Created     time.Time
	Commit      string
	Dirty       bool
	Machine     perf.Machine
}

// extension is that of every result file.
const extension = ".json"

func (s Store) path(suite, fingerprint, name string) string {
	return filepath.Join(s.Dir, suite, fingerprint, name+extension)
}

// Save stores r as the baseline called name of its own suite and machine, in place of
// the one that had the name, and returns the path. It refuses a result that is not
// [perf.Result.Whole], and a name that [CheckName] refuses or that differs from an
// existing one in nothing but case. On any error but that of a folder that cannot be
// flushed after the replacement, the old baseline is as it was.
func (s Store) Save(r *perf.Result, name string) (path string, err error) {
	if err := checkPlace(r.Suite, r.Machine.Fingerprint, name); err != nil {
		return "", err
	}
	if !r.Complete {
		return "", fmt.Errorf("saving run %s as baseline %q: the run did not come to its end; run the whole suite again and save that", r.ID, name)
	}
	if !r.Whole() {
		return "", fmt.Errorf("saving run %s as baseline %q: the run was restricted to %s, and a baseline covers its whole suite; run it without -only", r.ID, name, strings.Join(r.Only, ", "))
	}
	if err := s.checkCase(r.Suite, r.Machine.Fingerprint, name); err != nil {
		return "", err
	}
	data, err := r.Encode()
	if err != nil {
		return "", fmt.Errorf("saving baseline %q: %w", name, err)
	}
	path = s.path(r.Suite, r.Machine.Fingerprint, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("saving baseline %q: making its folder: %w%s", name, err, advice(err))
	}
	if err := WriteFile(path, data, 0o644); err != nil {
		return "", fmt.Errorf("saving baseline %q: %w", name, err)
	}
	return path, nil
}

// Load reads the baseline called name of the suite for machines of the fingerprint.
// Where there is none the error is a [*NotFoundError], which is [fs.ErrNotExist] and
// carries [perf.ExitUsage]. A file that cannot be read, or that says another suite or
// fingerprint than the folders it lies in, is a [*perf.SyntaxError].
func (s Store) Load(suite, fingerprint, name string) (*perf.Result, error) {
	if err := checkPlace(suite, fingerprint, name); err != nil {
		return nil, err
	}
	r, err := read(place{suite, fingerprint, name, s.path(suite, fingerprint, name)})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.notFound(suite, fingerprint, name)
	}
	return r, err
}

// Find returns the baselines called name of the suite, of every machine, sorted by
// fingerprint. Files that cannot be read are joined in the error, beside the entries
// that can; where there is neither, the error is a [*NotFoundError].
func (s Store) Find(suite, name string) ([]Entry, error) {
	if err := errors.Join(CheckName("suite", suite), CheckName("baseline", name)); err != nil {
		return nil, err
	}
	places, _ := s.placesOf(suite) // a fault of another name is for List to report
	places = slices.DeleteFunc(places, func(p place) bool { return p.name != name })
	if len(places) == 0 {
		return nil, s.notFound(suite, "", name)
	}
	entries, errs := entriesAt(places)
	return entries, errors.Join(errs...)
}

// List returns every baseline, sorted by suite, fingerprint and name, and an error for
// each file that is none. A store whose folder does not exist is empty.
func (s Store) List() ([]Entry, []error) {
	places, errs := s.places()
	entries, broken := entriesAt(places)
	return entries, append(errs, broken...)
}

// entriesAt reads the baselines at places, in their order.
func entriesAt(places []place) (entries []Entry, errs []error) {
	for _, p := range places {
		e, err := entry(p)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		entries = append(entries, e)
	}
	return entries, errs
}

func entry(p place) (Entry, error) {
	r, err := read(p)
	if err != nil {
		return Entry{}, err
	}
	return Entry{
		Suite: p.suite, Fingerprint: p.fingerprint, Name: p.name, Path: p.path,
		ID: r.ID, Mode: r.Mode, Created: r.Created,
		Commit: r.Subject.Commit, Dirty: r.Subject.Dirty, Machine: r.Machine,
	}, nil
}

// A place is where a baseline lies. Its folders are part of what it claims to be.
type place struct {
	suite, fingerprint, name, path string
}

// read decodes the file at p and holds it against its folders: a file that was copied
// into the folder of another machine would be compared as if it were that machine's.
func read(p place) (*perf.Result, error) {
	r, err := readResult(p.path)
	if err != nil {
		return nil, err
	}
	if r.Suite != p.suite {
		return nil, &perf.SyntaxError{File: p.path, Msg: fmt.Sprintf("this is a result of suite %q in the folder of suite %q; move it or delete it", r.Suite, p.suite)}
	}
	if own := r.Machine.Fingerprint; own != p.fingerprint {
		return nil, &perf.SyntaxError{File: p.path, Msg: fmt.Sprintf("this is a result of machine %s in the folder of machine %s; move it or delete it", own, p.fingerprint)}
	}
	return r, nil
}

// readResult reads one result file.
func readResult(path string) (*perf.Result, error) {
	f, err := openResult(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("reading a result: %w", err)
	}
	return perf.DecodeResult(data, path)
}

// openResult opens one result file. It looks before it opens: a named pipe would make
// it wait for ever for somebody who writes, and a device may never end.
func openResult(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file; move it away or delete it")}
	}
	if err != nil {
		return nil, fmt.Errorf("reading a result: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading a result: %w", err)
	}
	return f, nil
}

// places finds every file that lies where a baseline lies, without reading it, sorted.
// Names that begin with a dot are none of the store's: among them are the temporary
// files that a crash can leave.
func (s Store) places() (places []place, errs []error) {
	suites, errs := folders(s.Dir)
	for _, suite := range suites {
		found, err := s.placesOf(suite)
		places, errs = append(places, found...), append(errs, err...)
	}
	return places, errs
}

// placesOf is what [Store.places] is, for one suite.
func (s Store) placesOf(suite string) (places []place, errs []error) {
	machines, errs := folders(filepath.Join(s.Dir, suite))
	for _, machine := range machines {
		names, err := baselineNames(filepath.Join(s.Dir, suite, machine))
		errs = append(errs, err...)
		for _, name := range names {
			places = append(places, place{suite, machine, name, s.path(suite, machine, name)})
		}
	}
	return places, errs
}

// folders names the folders in dir, sorted; links to folders count. A dir that does not
// exist has none.
func folders(dir string) (names []string, errs []error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, fmt.Errorf("listing baselines: %w", err))
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if err != nil {
			errs = append(errs, fmt.Errorf("listing baselines: %w", err))
		} else if info.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, errs
}

// baselineNames names the baselines in the folder of one machine, sorted. A file whose
// name no target could be told is an error: it would never be compared with.
func baselineNames(dir string) (names []string, errs []error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, []error{fmt.Errorf("listing baselines: %w", err)}
	}
	for _, e := range entries {
		name, isJSON := strings.CutSuffix(e.Name(), extension)
		if strings.HasPrefix(e.Name(), ".") || !isJSON {
			continue
		}
		if err := CheckName("baseline", name); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", filepath.Join(dir, e.Name()), err))
			continue
		}
		names = append(names, name)
	}
	// ReadDir sorts with the extension, in which "a-b.json" comes before "a.json".
	slices.Sort(names)
	return names, errs
}
