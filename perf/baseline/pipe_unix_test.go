//go:build unix

package baseline

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A named pipe in the place of a result must not make its reader wait for a writer.
func TestPipeInPlaceOfAResult(t *testing.T) {
	runs := Runs{Dir: t.TempDir()}
	id := NewID(time.Unix(0, 0))
	if _, err := runs.Create(id); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(runs.Dir, id, resultFile)
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	read := make(chan []error, 1)
	go func() {
		_, err := readResult(pipe)
		_, broken := runs.Recent(1, nil)
		read <- append(broken, err)
	}()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	select {
	case errs := <-read:
		for _, err := range errs {
			if err == nil || !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("error %v, want one about what the file is", err)
			}
		}
		if len(errs) != 2 {
			t.Errorf("%d errors, want two: %v", len(errs), errs)
		}
	case <-deadline.C:
		// With a writer that leaves at once, the readers see an empty file.
		w, err := os.OpenFile(pipe, os.O_RDWR, 0)
		if err == nil {
			_ = w.Close()
		}
		t.Fatal("waits for somebody to write into the pipe")
	}
}
