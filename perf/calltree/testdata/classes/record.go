// Record makes the profiles in this folder that come from Go's own profiler: each of a
// program that does one kind of work and little else.
//
//	go run ./perf/calltree/testdata/classes perf/calltree/testdata/classes [NAME...]
//
// The ones of other origins are recorded with perf: see README.md beside this file.
package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"github.com/google/pprof/profile"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var works = map[string]func(until time.Time) error{
	"json": encodeJSON, "toml": decodeTOML, "validation": validate, "scheduler": yield, "spawning": spawn,
	"channels": channels, "allocation": allocate, "locking": lock, "files": files, "compute": compute,
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("usage: record FOLDER [NAME...]")
	}
	for name, work := range works {
		if len(os.Args) > 2 && !slices.Contains(os.Args[2:], name) {
			continue
		}
		var b bytes.Buffer
		check(pprof.StartCPUProfile(&b))
		check(work(time.Now().Add(2 * time.Second)))
		pprof.StopCPUProfile()
		check(publish(&b, os.Args[1], name))
	}
	if len(os.Args) == 2 || slices.Contains(os.Args[2:], "docker") {
		check(docker(os.Args[1]))
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

type config struct {
	Name     string
	Timeout  float64
	Services map[string]struct{ Image, Plugin string }
	Scenario []struct{ Name, Run, Expected string }
}

const text = `
name = "a test"
timeout = 2.5
[services.db]
image = "postgres:16"
plugin = "generic_container"
[services.web]
image = "nginx:1"
plugin = "generic_container"
[[scenario]]
name = "starts"
run = "echo hello"
expected = "hel+o"
[[scenario]]
name = "ends"
run = "true"
expected = ""
`

func decodeTOML(until time.Time) error {
	for time.Now().Before(until) {
		var c config
		if err := toml.Unmarshal([]byte(text), &c); err != nil {
			return err
		}
	}
	return nil
}

func encodeJSON(until time.Time) error {
	var c config
	if err := toml.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	for time.Now().Before(until) {
		b, err := json.Marshal(c)
		if err != nil {
			return err
		}
		var back config
		if err := json.Unmarshal(b, &back); err != nil {
			return err
		}
	}
	return nil
}

func validate(until time.Time) error {
	const schema = `{"type": "object", "required": ["name", "scenario"], "properties": {"name": {"type": "string", "pattern": "^[a-z ]+$"},
		"timeout": {"type": "number", "minimum": 0}, "scenario": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["run"]}}}}`
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		return err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", doc); err != nil {
		return err
	}
	s, err := compiler.Compile("schema.json")
	if err != nil {
		return err
	}
	var c any
	if err := json.Unmarshal([]byte(`{"name": "a test", "timeout": 2, "scenario": [{"run": "true"}, {"run": "false"}, {"run": "ls"}]}`), &c); err != nil {
		return err
	}
	for time.Now().Before(until) {
		if err := s.Validate(c); err != nil {
			return err
		}
	}
	return nil
}

// all runs work on as many goroutines as say.
func all(n int, work func()) error {
	var wait sync.WaitGroup
	for range n {
		wait.Go(work)
	}
	wait.Wait()
	return nil
}

func yield(until time.Time) error {
	return all(64, func() {
		for i := 0; i%1000 != 0 || time.Now().Before(until); i++ {
			runtime.Gosched()
		}
	})
}

func spawn(until time.Time) error {
	for time.Now().Before(until) {
		for range 1000 {
			go func() {}()
		}
		runtime.Gosched()
	}
	return nil
}

func channels(until time.Time) error {
	c := make(chan int, 128)
	go func() {
		defer close(c)
		for i := 0; i%1000 != 0 || time.Now().Before(until); i++ {
			c <- i
		}
	}()
	for range c {
		continue
	}
	return nil
}

var keep [][]byte

func allocate(until time.Time) error {
	for i := 0; i%1000 != 0 || time.Now().Before(until); i++ {
		if i%100_000 == 0 {
			keep = nil
		}
		keep = append(keep, make([]byte, 16+i%200))
	}
	return nil
}

func lock(until time.Time) error {
	var mu sync.Mutex
	n := 0
	return all(8, func() {
		for i := 0; i%1000 != 0 || time.Now().Before(until); i++ {
			mu.Lock()
			n++
			mu.Unlock()
		}
	})
}

func files(until time.Time) error {
	f, err := os.Open("/dev/zero")
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 1)
	for i := 0; i%1000 != 0 || time.Now().Before(until); i++ {
		if _, err := f.Read(b); err != nil {
			return err
		}
	}
	return nil
}

func compute(until time.Time) error {
	var sum [32]byte
	for i := 0; i%1000 != 0 || time.Now().Before(until); i++ {
		sum = sha256.Sum256(sum[:])
	}
	return nil
}

// docker profiles what a client of an engine waits for: its time on a CPU says nothing.
func docker(dir string) error {
	ctx := context.Background()
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return err
	}
	layer, err := program()
	if err != nil {
		return err
	}
	runtime.SetBlockProfileRate(1)
	const name = "clnrm-perf-record:1"
	for range 3 {
		loaded, err := c.ImageImport(ctx, image.ImportSource{Source: bytes.NewReader(layer), SourceName: "-"}, name, image.ImportOptions{Changes: []string{`ENTRYPOINT ["/program"]`}})
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, loaded); err != nil {
			return err
		}
		loaded.Close()
	}
	defer c.ImageRemove(ctx, name, image.RemoveOptions{})
	for i := range 5 {
		net, err := c.NetworkCreate(ctx, fmt.Sprint("clnrm-perf-record-", os.Getpid(), "-", i), network.CreateOptions{})
		if err != nil {
			return err
		}
		made, err := c.ContainerCreate(ctx, &container.Config{Image: name, NetworkDisabled: true}, nil, nil, nil, "")
		if err != nil {
			return err
		}
		if err := c.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
			return err
		}
		if err := c.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true}); err != nil {
			return err
		}
		if err := c.NetworkRemove(ctx, net.ID); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	if err := pprof.Lookup("block").WriteTo(&b, 0); err != nil {
		return err
	}
	return publish(&b, dir, "docker")
}

// publish writes a profile without the paths of the machine that it was recorded on.
func publish(r io.Reader, dir, name string) error {
	p, err := profile.Parse(r)
	if err != nil {
		return err
	}
	for _, m := range p.Mapping {
		if strings.Contains(m.File, "record") {
			m.File, m.BuildID = "/usr/bin/record", ""
		}
	}
	for _, f := range p.Function {
		f.Filename = filepath.Base(f.Filename)
	}
	out, err := os.Create(filepath.Join(dir, name+".pb.gz"))
	if err != nil {
		return err
	}
	if err := p.Write(out); err != nil {
		return err
	}
	return out.Close()
}

// program is an image's only layer: a static program that does nothing.
func program() ([]byte, error) {
	dir, err := os.MkdirTemp("", "record")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	source, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		return nil, err
	}
	build := exec.Command("go", "build", "-o", binary, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w: %s", err, out)
	}
	b, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Name: "program", Mode: 0o755, Size: int64(len(b))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	return layer.Bytes(), w.Close()
}
