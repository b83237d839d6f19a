package targets

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSideCaches(t *testing.T) {
	home, work := t.TempDir(), t.TempDir()
	t.Setenv("XDG_CACHE_HOME", home)
	t.Setenv("HOME", home)
	t.Setenv("LocalAppData", home)
	for side, dir := range sideCaches(work) {
		if !strings.HasPrefix(dir, home) || filepath.Base(dir) != sideNames[side] {
			t.Errorf("%s, want a folder %s in that of the user's caches", dir, sideNames[side])
		}
	}
	kept, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	// A file where the folder should be stands in the way of everybody, root as well.
	kept = filepath.Join(kept, "clnrm-perf")
	if err := os.RemoveAll(kept); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range sideCaches(work) {
		if !strings.HasPrefix(dir, work) {
			t.Errorf("%s, want a folder in that of the run", dir)
		}
	}
}

// The go command splits what starts a cache at spaces, unless they are quoted.
func TestAsCommand(t *testing.T) {
	command, err := asCommand([]string{"/a b/gate", "verb", "/it's", ""})
	if want := `'/a b/gate' verb /it's ''`; err != nil || command != want {
		t.Errorf("%s (%v), want %s", command, err, want)
	}
	if _, err := asCommand([]string{`/a' "b`}); err == nil {
		t.Error("no error, where no quote can be put around a folder")
	}
}
