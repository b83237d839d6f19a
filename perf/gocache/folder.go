package gocache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A dir is a cache as the go command keeps it. Below a folder for the first byte of its
// key, the result of an action is a file "KEY-a", with one line that names the output, and
// the output a file "SUM-d".
type dir string

// An entry is the result of an action.
type entry struct {
	output []byte // the sum of what the file holds
	size   int64  // of that, in bytes
	time   time.Time
	path   string // absolute if the cache's is
}

// An overlay is a cache of one's own that takes over what the others hold.
type overlay struct {
	own    dir
	others []dir
}

// idSize is the length of the keys and sums.
const idSize = sha256.Size

func (d dir) file(id []byte, kind string) (string, error) {
	if len(id) != idSize {
		return "", fmt.Errorf("a key of %d bytes, where the build cache has keys of %d", len(id), idSize)
	}
	return filepath.Join(string(d), hex.EncodeToString(id[:1]), hex.EncodeToString(id)+"-"+kind), nil
}

// get finds the result of an action, in the other caches as well.
func (o overlay) get(action []byte) (entry, error) {
	e, err := o.own.get(action)
	if err == nil {
		o.own.used(action, e)
		return e, nil
	}
	for _, other := range o.others {
		if e, err = other.get(action); err == nil {
			e, err = o.own.adopt(action, e)
		}
		if err == nil {
			return e, nil
		}
	}
	return entry{}, err
}

// get finds the result of an action in one cache. An entry whose output is gone or has
// another length is an error.
func (d dir) get(action []byte) (entry, error) {
	name, err := d.file(action, "a")
	if err != nil {
		return entry{}, err
	}
	line, err := os.ReadFile(name)
	if err != nil {
		return entry{}, err
	}
	e, err := parse(string(line), action)
	if err != nil {
		return entry{}, fmt.Errorf("%s: %w", name, err)
	}
	if e.path, err = d.file(e.output, "d"); err != nil {
		return entry{}, err
	}
	info, err := os.Stat(e.path)
	if err != nil {
		return entry{}, err
	}
	// The go command keeps programs that it runs as folders, and asks nobody else for them.
	if !info.Mode().IsRegular() || info.Size() != e.size {
		return entry{}, fmt.Errorf("%s: no file of %d bytes", e.path, e.size)
	}
	return e, nil
}

// parse reads the line of an action: a version, the keys of the action and of the output,
// and the size and the time, padded with spaces.
func parse(line string, action []byte) (e entry, err error) {
	fields := strings.Fields(line)
	if len(fields) != 5 || fields[0] != "v1" || fields[1] != hex.EncodeToString(action) {
		return e, errors.New("not the entry of this action")
	}
	output, err := hex.DecodeString(fields[2])
	if err != nil {
		return e, fmt.Errorf("the sum of the output: %w", err)
	}
	size, err := strconv.ParseInt(fields[3], 10, 64)
	if err != nil {
		return e, fmt.Errorf("the size: %w", err)
	}
	nanoseconds, err := strconv.ParseInt(fields[4], 10, 64)
	if err != nil {
		return e, fmt.Errorf("the time: %w", err)
	}
	return entry{output: output, size: size, time: time.Unix(0, nanoseconds)}, nil
}

// adopt copies an entry of another cache. A link would be one file with it, whose time of
// last use and damages both would have.
func (d dir) adopt(action []byte, e entry) (entry, error) {
	from := e.path
	var err error
	if e.path, err = d.file(e.output, "d"); err != nil {
		return entry{}, err
	}
	if err := replace(e.path, func(w io.Writer) error { return copySum(w, from, e.output) }); err != nil {
		return entry{}, err
	}
	return e, d.note(action, e)
}

// copySum copies a file that must have this sum: what is damaged is left where it is, since
// cleaning the other cache would not mend it here.
func copySum(w io.Writer, name string, sum []byte) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, h), f); err != nil {
		return err
	}
	if !bytes.Equal(h.Sum(nil), sum) {
		return fmt.Errorf("%s does not have the sum that its name says", name)
	}
	return nil
}

// put stores the output of an action. What is there by its name and holds something else
// was damaged, and is replaced.
func (o overlay) put(action, output, body []byte, size int64) (e entry, err error) {
	if int64(len(body)) != size {
		return e, fmt.Errorf("%d bytes came of an output of %d", len(body), size)
	}
	e = entry{output: output, size: size, time: time.Now()}
	if e.path, err = o.own.file(output, "d"); err != nil {
		return e, err
	}
	if there, err := os.ReadFile(e.path); err != nil || !bytes.Equal(there, body) {
		err := replace(e.path, func(w io.Writer) error { _, err := w.Write(body); return err })
		if err != nil {
			return e, err
		}
	}
	return e, o.own.note(action, e)
}

// note writes the line of an action.
func (d dir) note(action []byte, e entry) error {
	name, err := d.file(action, "a")
	if err != nil {
		return err
	}
	return replace(name, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "v1 %x %x %20d %20d\n", action, e.output, e.size, e.time.UnixNano())
		return err
	})
}

// replace writes a file whole or not at all, as other processes see it, which may read the
// folder at any time.
func replace(name string, write func(io.Writer) error) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.tmp")
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
