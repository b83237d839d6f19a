package container

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// testLabel marks what the tests of this process make.
var testLabel = fmt.Sprintf("io.github.seanchatmangpt.clnrm-perf.test=%d-%d", os.Getpid(), time.Now().UnixNano())

// testOwner owns what the tests of this process make: what they leave behind when
// they are killed is swept by the next run, as that of any other run.
var testOwner = sync.OnceValues(func() (Owner, error) { return NewOwner(fmt.Sprintf("test-%d", os.Getpid())) })

// bareLabels name no owner: where the owner is what is tested, it must not come by the
// image, whose labels a container inherits.
func bareLabels() map[string]string {
	key, value, _ := strings.Cut(testLabel, "=")
	return map[string]string{key: value}
}

func testLabels() map[string]string {
	labels := bareLabels()
	if o, err := testOwner(); err == nil { // else nothing but the sweep is lost
		maps.Copy(labels, o.Labels())
	}
	return labels
}

// nameLabel marks the containers of one test, subtests included, so that tests which run
// side by side do not take each other's for left behind.
func nameLabel(t testing.TB) string {
	name, _, _ := strings.Cut(t.Name(), "/")
	return "io.github.seanchatmangpt.clnrm-perf.test-name=" + name
}

// containerLabels mark a container of a test. Images have no test's name, so that all
// tests share one.
func containerLabels(t testing.TB) map[string]string {
	labels := testLabels()
	key, value, _ := strings.Cut(nameLabel(t), "=")
	labels[key] = value
	return labels
}

// rush is held by a parallel test while it asks for dozens of containers at once. Two of
// them together take as long as one after the other, and what is tested beside them would
// wait too long for its engine. A test of a hundred at once is not parallel at all.
var rush sync.Mutex

// testImages counts the images, each of which has a name of its own.
var testImages atomic.Int64

func settingsOfEnvironment() Settings { return SettingsFrom(os.Getenv) }

// realEngine connects to the engine of this machine, and sees to it that the test
// leaves nothing on it.
func realEngine(t testing.TB) Engine {
	t.Helper()
	testenv.Working(t, "docker", func() error {
		e, err := Connect(context.Background(), settingsOfEnvironment())
		if err != nil {
			return err
		}
		return e.Close()
	})
	e, err := Connect(t.Context(), settingsOfEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		leftBehind(t, e)
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// leftBehind fails the test for every container that it has left, and removes it.
func leftBehind(t testing.TB, e Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	left, err := e.Containers(ctx, testLabel, nameLabel(t))
	if err != nil {
		t.Errorf("looking for what is left: %v", err)
	}
	for _, c := range left {
		t.Errorf("container %s is left, %s", c.Name, c.State)
		if err := e.Remove(ctx, c.ID); err != nil {
			t.Error(err)
		}
	}
}

// allGone looks for what all tests together have left on the engine, once they have run.
func allGone() error {
	e, err := Connect(context.Background(), settingsOfEnvironment())
	if err != nil {
		return nil // without an engine nothing was made
	}
	defer e.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	left, err := e.Containers(ctx, testLabel)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%d containers are left, such as %s of %s", len(left), left[0].Name, left[0].Labels)
	}
	for _, c := range left {
		err = errors.Join(err, e.Remove(ctx, c.ID))
	}
	return err
}

// probeBinary is the probe, built once in this test binary for the engine's system.
var probeBinary = sync.OnceValues(func() ([]byte, error) {
	return BuildProbe(context.Background(), "", "linux", runtime.GOARCH)
})

// probeImage is the probe's image under a name of this process, removed at the end of
// the test.
func probeImage(t testing.TB, e Engine) Archive {
	t.Helper()
	testenv.Tool(t, "go")
	program, err := probeBinary()
	if err != nil {
		t.Fatal(err)
	}
	owner, err := testOwner()
	if err != nil {
		t.Fatal(err)
	}
	name := owner.Image(fmt.Sprintf("test-probe-%d", testImages.Add(1)))
	a, err := ImageSpec{Program: program, Path: "/probe", OS: "linux", Arch: runtime.GOARCH, Labels: testLabels(), Name: name}.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := EnsureImage(t.Context(), e, a); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.RemoveImage(context.Background(), a.Name); err != nil {
			t.Errorf("removing the image: %v", err)
		}
	})
	return a
}

// probeSpec is a lifecycle of the probe with the flags.
func probeSpec(t testing.TB, a Archive, flags ...string) Spec {
	return Spec{Archive: &a, Grace: 5 * time.Second, Config: Config{Network: "none", Labels: containerLabels(t), Args: flags}}
}
