package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// cache remembers which contents have passed: one small file a test file, named
// by the hash of its path, with the hash of the content. One file for all would
// be rewritten by every run, and two runs at once would lose entries.
type cache struct {
	dir      string
	identity string // of this program: another build has to prove itself anew
}

// openCache returns the cache in $CLEANROOM_CACHE, or in the user's cache
// directory. The directory is made by the first store.
func openCache() (*cache, error) {
	dir := os.Getenv("CLEANROOM_CACHE")
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("find a place for the cache (set CLEANROOM_CACHE): %w", err)
		}
		dir = filepath.Join(base, "cleanroom")
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the running program: %w", err)
	}
	// Size and time, as make does it: to hash the program itself would take longer
	// than most runs that the cache saves.
	info, err := os.Stat(self)
	if err != nil {
		return nil, fmt.Errorf("find the running program: %w", err)
	}
	return &cache{dir, fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())}, nil
}

// entry returns the file that remembers path, and the hash that it should hold
// for text. A relative path means another file in another directory.
func (c *cache) entry(path, text string) (file, sum string, err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", "", err
	}
	file = filepath.Join(c.dir, fmt.Sprintf("%x", sha256.Sum256([]byte(abs))))
	return file, fmt.Sprintf("%x\n", sha256.Sum256([]byte(c.identity+"\x00"+text))), nil
}

// passed reports whether path passed with this text. What cannot be read counts
// as not passed: the test is then run, which is never wrong.
func (c *cache) passed(path, text string) bool {
	file, sum, err := c.entry(path, text)
	if err != nil {
		return false
	}
	data, err := os.ReadFile(file)
	return err == nil && string(data) == sum
}

// store remembers that path passed with this text, or forgets path.
func (c *cache) store(path, text string, passed bool) error {
	file, sum, err := c.entry(path, text)
	if err != nil {
		return err
	}
	if !passed { // or a content that passed before would pass unseen once it is back
		if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	return writeFile(file, sum)
}

// writeFile writes path by way of a temporary file beside it, so that whoever
// reads it sees all of the content or the one before.
func writeFile(path, content string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
