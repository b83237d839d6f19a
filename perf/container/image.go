package container

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// ContentLabel is the label by which an image that Pack made is found again: the
// value is the SHA-256 of all that is in it. The ID would not do, as it is the digest
// of the configuration with Docker's own store and another one with containerd's.
const ContentLabel = "io.github.seanchatmangpt.clnrm-perf.content"

// An ImageSpec says what image to make: one static program, and nothing else.
type ImageSpec struct {
	Program  []byte // an executable for OS and Arch
	Path     string // where it lies in the image, such as "/probe"; also the entry point
	OS, Arch string // in Go's words
	Labels   map[string]string
	// Name is repository:tag. One of its own for every owner lets the engine count who
	// needs the image: it is deleted with the last name.
	Name string
}

// An Archive is an image in the form that "docker load" takes.
type Archive struct {
	// ID is what Docker calls the image: the SHA-256 of its configuration.
	ID      string
	Content string // the value of its ContentLabel
	Name    string
	Tar     []byte
}

// Pack makes the image in memory. The same spec gives the same bytes: no time and no
// order of a map gets into them. The name is not part of the image, so that images
// which differ in nothing else are one.
func (s ImageSpec) Pack() (Archive, error) {
	if len(s.Program) == 0 || len(s.Path) < 2 || s.Path[0] != '/' || s.Name == "" {
		return Archive{}, fmt.Errorf("image %q: it takes a program, an absolute path for it and a name", s.Name)
	}
	layer, err := pack(file{name: s.Path[1:], mode: 0o755, data: s.Program})
	if err != nil {
		return Archive{}, fmt.Errorf("image %s: %w", s.Name, err)
	}
	a := Archive{Name: s.Name, Content: s.content(layer)}
	config, err := s.config(layer, a.Content)
	if err != nil {
		return Archive{}, fmt.Errorf("image %s: %w", s.Name, err)
	}
	sum := digest(config)
	manifest, err := json.Marshal([]map[string]any{{
		"Config": sum + ".json", "RepoTags": []string{s.Name}, "Layers": []string{"layer.tar"},
	}})
	if err != nil {
		return Archive{}, fmt.Errorf("image %s: %w", s.Name, err)
	}
	a.ID = "sha256:" + sum
	a.Tar, err = pack(
		file{name: "layer.tar", mode: 0o644, data: layer},
		file{name: sum + ".json", mode: 0o644, data: config},
		file{name: "manifest.json", mode: 0o644, data: manifest},
	)
	return a, err
}

// content is what ContentLabel tells images apart by: all but the name.
func (s ImageSpec) content(layer []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %s %s\n", s.OS, s.Arch, s.Path, digest(layer))
	for _, key := range slices.Sorted(maps.Keys(s.Labels)) {
		fmt.Fprintf(h, "%q=%q\n", key, s.Labels[key])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// config is the image's configuration (OCI Image Specification, config.md, which is
// what Docker's own format became).
func (s ImageSpec) config(layer []byte, content string) ([]byte, error) {
	labels := map[string]string{ContentLabel: content}
	maps.Copy(labels, s.Labels)
	return json.Marshal(map[string]any{
		"architecture": s.Arch, "os": s.OS,
		"created": time.Unix(0, 0).UTC().Format(time.RFC3339),
		"config":  map[string]any{"Entrypoint": []string{s.Path}, "Labels": labels},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer)}},
		"history": []map[string]any{{"created": time.Unix(0, 0).UTC().Format(time.RFC3339), "comment": "clnrm-perf"}},
	})
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

type file struct {
	name string
	mode int64
	data []byte
}

// pack writes files as a tar archive without times and owners.
func pack(files ...file) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		header := tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
		if err := w.WriteHeader(&header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// EnsureImage makes sure that the engine has the image, under the archive's name, and
// returns the image. It is loaded (0.2 s) only where the engine has none of the same
// content yet: warm says that it had one. Whoever calls it removes the name with
// RemoveImage in the end.
func EnsureImage(ctx context.Context, e Engine, a Archive) (_ Image, warm bool, err error) {
	have, err := e.Images(ctx, ContentLabel+"="+a.Content)
	if err != nil {
		return Image{}, false, err
	}
	if len(have) > 0 {
		if slices.Contains(have[0].Names, a.Name) {
			return have[0], true, nil
		}
		// Another owner may remove its name, and with it the image, at this moment. Once
		// this name is on it, nobody does. Docker 20.10 says so by an error about a file of
		// its own, so that whatever went wrong is put right by loading the image.
		if err := e.TagImage(ctx, have[0].ID, a.Name); err == nil {
			return have[0], true, nil
		}
	}
	if err := e.LoadImage(ctx, bytes.NewReader(a.Tar)); err != nil {
		return Image{}, false, err
	}
	found, err := e.Image(ctx, a.Name)
	if err != nil {
		return Image{}, false, fmt.Errorf("after it was loaded: %w", err)
	}
	return found, false, nil
}
