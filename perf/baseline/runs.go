package baseline

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
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

// Runs is a folder of runs, laid out as <id>/result.json, with the inputs and logs of a
// run beside its result. The folder need not exist before the first run.
type Runs struct {
	Dir string
}

// resultFile is the name of the result in the folder of a run.
const resultFile = "result.json"

// randomBytes are enough to tell apart the runs that begin in one second.
const randomBytes = 3

// NewID returns the identifier of a run that begins now, such as
// 20261123T020304Z-0a1b2c. Identifiers sort by time, to the second. The six digits are
// drawn at random, unless the caller gives the three bytes that they show.
func NewID(now time.Time, random ...byte) string {
	var b [randomBytes]byte
	if n := copy(b[:], random); n < len(b) {
		_, _ = rand.Read(b[n:]) // it never fails (crypto/rand)
	}
	return now.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(b[:])
}

func (r Runs) path(id string) string { return filepath.Join(r.Dir, id, resultFile) }

// Create makes the folder of a new run and returns its path. An id that is taken is an
// error: what is in the folder of a run belongs to that run.
func (r Runs) Create(id string) (dir string, err error) {
	if err := CheckName("run", id); err != nil {
		return "", err
	}
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		return "", fmt.Errorf("making the folder of run %s: %w%s", id, err, advice(err))
	}
	dir = filepath.Join(r.Dir, id)
	if err := os.Mkdir(dir, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("making the folder of run %s: %s exists already; give every run an id of its own", id, dir)
		}
		return "", fmt.Errorf("making the folder of run %s: %w%s", id, err, advice(err))
	}
	return dir, nil
}

// Write writes res as the result of its run and returns the path. A run writes as often
// as it likes: each call replaces what the last one wrote, as [WriteFile] does, so that
// a run which is interrupted leaves its last state.
func (r Runs) Write(res *perf.Result) (path string, err error) {
	if err := CheckName("run", res.ID); err != nil {
		return "", err
	}
	data, err := res.Encode()
	if err != nil {
		return "", err
	}
	path = r.path(res.ID)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("making the folder of run %s: %w%s", res.ID, err, advice(err))
	}
	return path, WriteFile(path, data, 0o644)
}

// Load reads the result of the run id. Where there is none the error is a
// [*NoRunError], which carries [perf.ExitUsage].
func (r Runs) Load(id string) (*perf.Result, error) {
	if err := CheckName("run", id); err != nil {
		return nil, err
	}
	res, err := r.read(id)
	if !errors.Is(err, fs.ErrNotExist) {
		return res, err
	}
	ids, _ := r.ids() // what cannot be listed is not there for this sentence
	missing := &NoRunError{Dir: r.Dir, ID: id, Nearest: nearest(id, ids)}
	if len(ids) > 0 {
		missing.Latest = slices.Max(ids)
	}
	return nil, &perf.StatusError{Status: perf.ExitUsage, Err: missing}
}

func (r Runs) read(id string) (*perf.Result, error) {
	res, err := readResult(r.path(id))
	if err != nil {
		return nil, err
	}
	if res.ID != id {
		return nil, &perf.SyntaxError{File: r.path(id), Msg: fmt.Sprintf("this is the result of run %s in the folder of run %s; move it or delete it", res.ID, id)}
	}
	return res, nil
}

// Newest returns the newest result that accept takes, by the time at which it was
// created and then by id. A nil accept takes every one. Runs which cannot be read are
// passed over and come back as skipped, as far as they may be newer than what was
// found: the caller shows them, because the reader may have meant one of them. Where
// there is no such run the error is a [*NoRunError].
func (r Runs) Newest(accept func(*perf.Result) bool) (res *perf.Result, skipped []error, err error) {
	ids, err := r.ids()
	if err != nil {
		return nil, nil, err
	}
	heads, skipped := r.heads(ids)
	for _, h := range heads {
		res, err := r.read(h.id)
		switch {
		case err != nil:
			skipped = append(skipped, err)
		case accept == nil || accept(res):
			return res, skipped, nil
		}
	}
	return nil, skipped, &NoRunError{Dir: r.Dir, Present: len(heads), Skipped: skipped}
}

// Recent returns the newest results that accept takes, at most n, newest first. Runs
// that cannot be read come back as errors beside them.
func (r Runs) Recent(n int, accept func(*perf.Result) bool) (list []*perf.Result, broken []error) {
	ids, err := r.ids()
	if err != nil {
		return nil, []error{err}
	}
	heads, broken := r.heads(ids)
	for _, h := range heads {
		if len(list) == n {
			break
		}
		res, err := r.read(h.id)
		switch {
		case err != nil:
			broken = append(broken, err)
		case accept(res):
			list = append(list, res)
		}
	}
	return list, broken
}

// A head is what the first lines of a result tell.
type head struct {
	id      string
	created time.Time
}

// heads reads the beginning of every result, newest first. Samples make a result long,
// and a folder of runs grows: only as many as needed are decoded whole.
func (r Runs) heads(ids []string) (heads []head, skipped []error) {
	for _, id := range ids {
		created, err := readCreated(r.path(id))
		if err != nil {
			skipped = append(skipped, err)
			continue
		}
		heads = append(heads, head{id, created})
	}
	slices.SortFunc(heads, func(a, b head) int {
		if c := b.created.Compare(a.created); c != 0 {
			return c
		}
		return strings.Compare(b.id, a.id)
	})
	return heads, skipped
}

// readCreated reads the result at path as far as its key "created". Where that fails
// the file is decoded whole, for an error that says what is wrong with it.
func readCreated(path string) (time.Time, error) {
	f, err := openResult(path)
	if err != nil {
		return time.Time{}, err
	}
	created, ok := createdKey(f)
	if err := f.Close(); err != nil {
		return time.Time{}, fmt.Errorf("reading a result: %w", err)
	}
	if ok {
		return created, nil
	}
	res, err := readResult(path)
	if err != nil {
		return time.Time{}, err
	}
	return res.Created, nil
}

// createdKey finds the time under the key "created" of the object that in holds.
func createdKey(in io.Reader) (created time.Time, ok bool) {
	dec := json.NewDecoder(in)
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return created, false
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return created, false
		}
		if key == "created" {
			return created, dec.Decode(&created) == nil
		}
		var skipped json.RawMessage
		if dec.Decode(&skipped) != nil {
			return created, false
		}
	}
	return created, false
}

// ids names the runs that have a result. A folder without one is a run that has
// measured nothing yet, or never did.
func (r Runs) ids() ([]string, error) {
	entries, err := os.ReadDir(r.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing runs: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if CheckName("run", e.Name()) != nil {
			continue
		}
		if _, err := os.Stat(r.path(e.Name())); err == nil {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// A NoRunError says that there is no run of an id, or none that would do. errors.Is
// finds [fs.ErrNotExist] in it.
type NoRunError struct {
	Dir     string
	ID      string  // the run that was asked for; empty where the newest was
	Nearest string  // the id that is most like ID, if one is
	Latest  string  // the greatest id there is
	Present int     // how many runs there are that did not do
	Skipped []error // what is wrong with the runs that cannot be read
}

// Unwrap returns [fs.ErrNotExist].
func (e *NoRunError) Unwrap() error { return fs.ErrNotExist }

func (e *NoRunError) Error() string {
	const makeOne = "; make one with: go tool mage benchmarks"
	switch {
	case e.ID != "" && e.Nearest != "":
		return fmt.Sprintf("no run %s in %s; did you mean %s? The latest is %s", e.ID, e.Dir, e.Nearest, e.Latest)
	case e.ID != "" && e.Latest != "":
		return fmt.Sprintf("no run %s in %s; the latest is %s", e.ID, e.Dir, e.Latest)
	case e.ID != "":
		return fmt.Sprintf("no run %s in %s, and no other%s", e.ID, e.Dir, makeOne)
	case e.Present+len(e.Skipped) == 0:
		return fmt.Sprintf("no run in %s%s", e.Dir, makeOne)
	}
	return fmt.Sprintf("no run in %s will do: %d are of another kind and %d cannot be read%s", e.Dir, e.Present, len(e.Skipped), makeOne)
}
