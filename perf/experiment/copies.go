package experiment

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// How many copies of a program there are, and what they may take on the disk together.
const (
	mostCopies = 8
	copiesRoom = 256 << 20
)

// copies are files of the same content as a program that was built here, one of which
// lies under the program's name at a time.
//
// How the system keeps a file in memory depends on how it was written: in pages or in
// large folios, and where. A program of 5 ms took 6.0 ms from a file that was written at
// once, 6.9 from one that a linker had written through a mapping, and 7.4 from one of
// 4 KB writes, of which two differed by 4 %; all byte for byte the same, on Linux 6.18. So
// what two builds of one source differ by is the luck of two files. Here all are written
// in one way, and each run takes one that is drawn at random.
type copies struct { // nil: none
	path  string
	names []string
}

// newCopies makes copies of the file at path beside it, at most as many as fit into room
// bytes; one is made in any case, because it is written as all are. Where the file system
// has no place or no second names for a file, there are fewer, or none, and the file stays
// what it was.
func newCopies(path string, room int64) (*copies, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("copying the program that is compared: %w", err)
	}
	c := &copies{path: path}
	if !info.Mode().IsRegular() {
		return c, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("copying the program that is compared: %w", err)
	}
	n := min(max(room/max(info.Size(), 1), 1), mostCopies)
	for i := range n {
		name := fmt.Sprintf("%s.copy%d", path, i)
		// One call of write, whatever its size: see the type.
		if err := os.WriteFile(name, data, info.Mode().Perm()); err != nil {
			_ = os.Remove(name)
			break
		}
		c.names = append(c.names, name)
	}
	if len(c.names) > 0 && c.take(0) != nil {
		return c, c.drop()
	}
	return c, nil
}

// take puts the copy number n, modulo how many there are, in the program's place.
func (c *copies) take(n uint) error {
	if c == nil || len(c.names) == 0 {
		return nil
	}
	name := c.names[n%uint(len(c.names))]
	second := name + ".next"
	if err := os.Link(name, second); err != nil {
		return fmt.Errorf("putting another copy in the place of %s: %w", c.path, err)
	}
	if err := os.Rename(second, c.path); err != nil {
		return fmt.Errorf("putting another copy in the place of %s: %w", c.path, errors.Join(err, os.Remove(second)))
	}
	// Of two names of one file, rename makes nothing and keeps both (POSIX).
	if err := os.Remove(second); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("putting another copy in the place of %s: %w", c.path, err)
	}
	return nil
}

// drop removes the copies; the one in the program's place stays.
func (c *copies) drop() error {
	if c == nil {
		return nil
	}
	var errs []error
	for _, name := range c.names {
		errs = append(errs, os.Remove(name))
	}
	c.names = nil
	return errors.Join(errs...)
}

// built reports whether program lies below root: then this run has built it, and it is
// ours to copy.
func built(program, root string) bool {
	rel, err := filepath.Rel(root, program)
	return err == nil && filepath.IsAbs(program) && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
