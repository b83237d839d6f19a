//go:build unix

package baseline

import (
	"errors"
	"os"
	"syscall"
)

// syncDir flushes the folder itself, without which a rename can be forgotten in a power
// failure (fsync(2)). File systems that have no such thing say so, and that is no error.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
