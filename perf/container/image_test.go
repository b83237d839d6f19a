package container

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

func TestPackIsDeterministic(t *testing.T) {
	spec := ImageSpec{Program: []byte("program"), Path: "/bin/p", OS: "linux", Arch: "arm64", Name: "n:1",
		Labels: map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}}
	first, err := spec.Pack()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, err := spec.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if again.ID != first.ID || again.Content != first.Content || !bytes.Equal(again.Tar, first.Tar) {
			t.Fatal("the same spec gives another archive")
		}
	}
	for what, change := range map[string]func(*ImageSpec){
		"program":      func(s *ImageSpec) { s.Program = []byte("other") },
		"path":         func(s *ImageSpec) { s.Path = "/p" },
		"architecture": func(s *ImageSpec) { s.Arch = "amd64" },
		"label":        func(s *ImageSpec) { s.Labels = map[string]string{"a": "2"} },
	} {
		other := spec
		change(&other)
		a, err := other.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if a.ID == first.ID || a.Content == first.Content {
			t.Errorf("another %s gives the same image", what)
		}
	}
	named := spec
	named.Name = "n:2"
	if a, err := named.Pack(); err != nil || a.ID != first.ID || a.Content != first.Content {
		t.Errorf("another name gives another image, %v", err)
	}
	for _, bad := range []ImageSpec{{}, {Program: []byte("p"), Path: "p", Name: "n:1"}, {Program: []byte("p"), Path: "/", Name: "n:1"}, {Program: []byte("p"), Path: "/p"}} {
		if _, err := bad.Pack(); err == nil {
			t.Errorf("%+v is packed", bad)
		}
	}
}

func TestEnsureImage(t *testing.T) {
	e := realEngine(t)
	ctx := t.Context()
	// Another content than the other tests have, so that the first time is cold.
	spec := ImageSpec{Program: []byte("#!" + t.Name()), Path: "/p", OS: "linux", Arch: runtime.GOARCH, Labels: testLabels(), Name: "clnrm-perf/test-one:1"}
	one, err := spec.Pack()
	if err != nil {
		t.Fatal(err)
	}
	spec.Name = "clnrm-perf/test-two:2"
	two, err := spec.Pack()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, a := range []Archive{one, two} {
			if err := e.RemoveImage(context.Background(), a.Name); err != nil && !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
		}
	})
	made, warm, err := EnsureImage(ctx, e, one)
	if err != nil || warm {
		t.Fatalf("cold: warm = %v, %v", warm, err)
	}
	if made.ID != one.ID && e.Info().Product == "Docker" && e.Info().API == "1.41" {
		t.Errorf("the engine calls it %s, predicted was %s", made.ID, one.ID)
	}
	again, warm, err := EnsureImage(ctx, e, one)
	if err != nil || !warm || again.ID != made.ID {
		t.Errorf("again: warm = %v, %v; %s", warm, err, again.ID)
	}
	other, warm, err := EnsureImage(ctx, e, two)
	if err != nil || !warm || other.ID != made.ID {
		t.Errorf("under another name: warm = %v, %v", warm, err)
	}
	found, err := e.Image(ctx, two.Name)
	if err != nil || !slices.Contains(found.Names, one.Name) || !slices.Contains(found.Names, two.Name) {
		t.Errorf("its names are %v, %v", found.Names, err)
	}
	if found.Labels[ContentLabel] != one.Content || found.OS != "linux" || found.Arch != runtime.GOARCH {
		t.Errorf("it is %+v", found)
	}
	// The image lives as long as one of its owners does.
	if err := e.RemoveImage(ctx, one.Name); err != nil {
		t.Error(err)
	}
	if _, err := e.Image(ctx, two.Name); err != nil {
		t.Errorf("the first name has taken the second with it: %v", err)
	}
	if err := e.RemoveImage(ctx, two.Name); err != nil {
		t.Error(err)
	}
	if _, err := e.Image(ctx, made.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("after its last name it is there: %v", err)
	}
	if err := e.RemoveImage(ctx, two.Name); !errors.Is(err, ErrNotFound) {
		t.Errorf("removing what is gone: %v", err)
	}
}

func TestLoadGarbage(t *testing.T) {
	e := realEngine(t)
	if err := e.LoadImage(t.Context(), strings.NewReader("no archive")); err == nil {
		t.Error("no archive is loaded")
	}
}

func TestBuildProbe(t *testing.T) {
	testenv.Tool(t, "go")
	// What users have set for their own builds, which would fail this one.
	t.Setenv("GOFLAGS", "-mod=vendor -race")
	t.Setenv("GOOS", "plan9")
	for _, arch := range []string{"amd64", "arm64"} {
		b, err := BuildProbe(t.Context(), "", "linux", arch)
		if err != nil {
			t.Fatal(err)
		}
		again, err := BuildProbe(t.Context(), "", "linux", arch)
		if err != nil || sha256.Sum256(b) != sha256.Sum256(again) {
			t.Errorf("a second build differs, %v", err)
		}
		if !bytes.HasPrefix(b, []byte("\x7fELF")) {
			t.Errorf("the probe for linux/%s is no ELF file: % x", arch, b[:4])
		}
		t.Logf("linux/%s: %d bytes, sha256 %s", arch, len(b), hex.EncodeToString(func() []byte { s := sha256.Sum256(b); return s[:4] }()))
	}
}

func TestBuildProbeFails(t *testing.T) {
	if _, err := BuildProbe(t.Context(), filepath.Join(t.TempDir(), "go"), "linux", "amd64"); !errors.Is(err, ErrNoGo) {
		t.Errorf("without a toolchain: %v", err)
	}
	if _, err := BuildProbe(t.Context(), "", "windows", "amd64"); err == nil || !strings.Contains(err.Error(), "Linux containers") {
		t.Errorf("for containers of Windows: %v", err)
	}
	testenv.Tool(t, "go")
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	t.Setenv("TMP", temporary)
	if _, err := BuildProbe(t.Context(), "", "linux", "pdp11"); err == nil || !strings.Contains(err.Error(), "pdp11") {
		t.Errorf("for a machine that Go does not know: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := BuildProbe(ctx, "", "linux", "amd64"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if left, _ := os.ReadDir(temporary); len(left) > 0 {
		t.Errorf("%v is left in the temporary directory", left)
	}
}
