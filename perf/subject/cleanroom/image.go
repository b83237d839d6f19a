package main

import (
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/seanchatmangpt/clnrm-perf/perf/container"
)

// imageName is what the default image is called, before whose it is.
const imageName = "subject"

// imageProgram is where this program is in its image.
const imageProgram = "/cleanroom"

// roomDir is where a step in the default image runs: empty, and the only directory
// that its environment names. The engine makes it.
const roomDir = "/" + stepDirPrefix + "0"

// labelProgram is the SHA-256 of the program in an image. By it we see whether the
// engine has the image without packing another, which takes more memory than all
// that a test does.
const labelProgram = "io.github.seanchatmangpt.clnrm-perf.program"

// ownImage is the default image: this program alone. It is made of the running
// program and needs no registry, and an engine that has it already, from another
// process of the same build, is not given it again.
type ownImage struct {
	engine container.Engine
	open   func() (*os.File, error) // the program
	name   string                   // the reference by which its owner holds it
	keep   bool                     // the name is a run's, which outlives this process

	mu            sync.Mutex // for what follows
	tried, loaded bool
}

// newOwnImage says what the default image is; ensure makes it.
func newOwnImage(engine container.Engine, owner container.Owner, keep bool) (*ownImage, error) {
	open := func() (*os.File, error) { return ownProgram(engine.Info()) }
	f, err := open()
	if err != nil {
		return nil, err
	}
	return &ownImage{engine: engine, open: open, name: owner.Image(imageName), keep: keep}, f.Close()
}

// ensure brings the image to the engine, unless it is there. What changes the engine
// is not interrupted, only bounded: an archive of which the engine has read the end
// becomes an image whether we wait for it or not.
func (o *ownImage) ensure(ctx, last context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.loaded || ctx.Err() != nil {
		return ctx.Err()
	}
	sum, err := o.sum()
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(last, tidyTimeout)
	defer cancel()
	have, err := o.engine.Images(bounded, labelProgram+"="+sum)
	if err != nil {
		return err
	}
	o.tried = true
	if len(have) > 0 {
		// Between the two requests another process may let go of it, the last to hold it.
		err = o.engine.TagImage(bounded, have[0].ID, o.name)
	}
	if len(have) == 0 || errors.Is(err, container.ErrNotFound) {
		err = o.make(bounded, sum)
	}
	o.loaded = err == nil
	return err
}

// forget makes the next ensure look for the image again.
func (o *ownImage) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.loaded = false
}

// sum is the SHA-256 of the program.
func (o *ownImage) sum() (string, error) {
	f, err := o.open()
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read the running program, of which the image is made: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// make packs the image and loads it.
func (o *ownImage) make(ctx context.Context, sum string) error {
	f, err := o.open()
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read the running program, of which the image is made: %w", err)
	}
	program := make([]byte, info.Size()) // at once: growing to it would take twice the memory
	if _, err := io.ReadFull(f, program); err != nil {
		return fmt.Errorf("read the running program, of which the image is made: %w", err)
	}
	archive, err := container.ImageSpec{
		Program: program, Path: imageProgram, OS: runtime.GOOS, Arch: runtime.GOARCH, Name: o.name,
		Labels: map[string]string{container.LabelTool: container.ToolName, labelProgram: sum},
	}.Pack()
	if err != nil {
		return err
	}
	_, _, err = container.EnsureImage(ctx, o.engine, archive)
	return err
}

// release lets go of the image, which the engine deletes when nobody else holds it.
func (o *ownImage) release(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.tried || o.keep {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tidyTimeout)
	defer cancel()
	return letGo(ctx, o.engine, o.name)
}

// letGo removes a name from an image, if it is there. An engine that is asked while
// another process names the same image and starts a container of it may have counted
// the names before and the containers after; asked once more, it sees both.
func letGo(ctx context.Context, engine container.Engine, name string) (err error) {
	for range 3 {
		if err = engine.RemoveImage(ctx, name); !errors.Is(err, container.ErrConflict) {
			break
		}
	}
	if errors.Is(err, container.ErrNotFound) {
		return nil
	}
	return err
}

// ownProgram opens this very program, as it must be to run in the engine's
// containers, or says why it cannot.
func ownProgram(info container.Info) (*os.File, error) {
	if runtime.GOOS != "linux" || info.OS != runtime.GOOS || info.Arch != runtime.GOARCH {
		return nil, fmt.Errorf("the engine runs programs of %s/%s, and this one, of which the image is made, is for %s/%s",
			info.OS, info.Arch, runtime.GOOS, runtime.GOARCH)
	}
	// The file by which we run and not our path, where another build may be by now.
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, fmt.Errorf("open the running program, of which the image is made: %w", err)
	}
	program, err := elf.NewFile(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the running program, of which the image is made: %w", err), f.Close())
	}
	if !isStatic(program) {
		return nil, errors.Join(errors.New("this program needs the C library, which an image of it alone has not: build it with CGO_ENABLED=0"), f.Close())
	}
	return f, nil
}

// isStatic reports whether a program runs without a dynamic linker.
func isStatic(program *elf.File) bool {
	return !slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
}
