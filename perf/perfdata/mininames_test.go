package perfdata

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCompressedNames: of a program whose names lie where they are not read, it is told.
func TestCompressedNames(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "names.xz"), []byte("\xfd7zXZ\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	small, err := filepath.Abs(filepath.Join(recordingsDir, "small"))
	if err != nil {
		t.Fatal(err)
	}
	run(t, dir, "objcopy", "--strip-all", "--add-section", ".gnu_debugdata=names.xz", small, "stripped")
	b, err := os.ReadFile(filepath.Join(recordingsDir, "fp.perf"))
	if err != nil {
		t.Fatal(err)
	}
	r := readBytes(t, b, Options{Open: func(path string) (File, error) {
		if path == recordedProgram {
			return OpenFile(filepath.Join(dir, "stripped"))
		}
		return noFiles(path)
	}})
	if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, "compressed by xz") {
		t.Errorf("the notes %q do not tell why there are no names", notes)
	}
}
