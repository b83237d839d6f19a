package baseline

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// WriteFile replaces the file at path by one that holds data, or leaves it alone. It
// writes a temporary file in the same folder, flushes and closes it, renames it over
// path and flushes the folder, so that a reader, and a machine that lost its power,
// sees the old content or the new one. perm is that of the new file, before the umask.
//
// On an error path is as it was and the temporary file is removed. The one exception
// is a folder that cannot be flushed: the content has been replaced then, and the
// error says that it may not survive a crash of the machine. A process that is killed
// in the middle leaves a file .*.tmp, which nothing in this package reads. A path that
// is a symbolic link is replaced itself, not what it points to.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	temp, err := writeTemp(filepath.Dir(path), data, perm)
	if err != nil {
		return fmt.Errorf("writing %s: %w%s", path, err, advice(err))
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("writing %s: %w%s", path, errors.Join(err, os.Remove(temp)), advice(err))
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("writing %s: it is written, and may be lost if the machine crashes now: %w", path, err)
	}
	return nil
}

// writeTemp writes a temporary file in dir that is whole and on the disk, and returns
// its path. On an error there is no such file.
func writeTemp(dir string, data []byte, perm fs.FileMode) (path string, err error) {
	// Not os.CreateTemp, whose files are 0600 whatever the umask says.
	path = filepath.Join(dir, "."+rand.Text()+".tmp")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return "", err
	}
	if err := fill(f, data); err != nil {
		return "", errors.Join(err, os.Remove(path))
	}
	return path, nil
}

// fill writes data, flushes it and closes f, whatever happens on the way. A file system
// may report a full disk as late as at Close.
func fill(f *os.File, data []byte) error {
	n, err := f.Write(data)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// advice is what to do about an error of writing, as the end of a sentence.
func advice(err error) string {
	const kept = "; what was there before is unchanged; "
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return kept + "free some space on that disk and try again"
	case errors.Is(err, syscall.EROFS):
		return kept + "the file system is mounted read-only: mount it writable or use another folder"
	case errors.Is(err, fs.ErrPermission):
		return kept + "give this user the right to write there or use another folder"
	case errors.Is(err, syscall.ENOTDIR):
		return kept + "a file stands where a folder belongs: move it away"
	case errors.Is(err, syscall.EISDIR), errors.Is(err, fs.ErrExist): // os.Rename says this of a folder
		return kept + "a folder stands where the file belongs: move it away"
	}
	return kept + "clear the cause away and try again"
}
