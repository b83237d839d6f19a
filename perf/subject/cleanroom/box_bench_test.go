//go:build unix

package main

import (
	"context"
	"crypto/rand"
	"io"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf/container"
	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

// BenchmarkStep compares a step with its floor, the five requests that a container
// takes, in turns: an engine's times change by the minute. It reports both and what we
// add. The image is the one that CLEANROOM_CONTAINERS_DEFAULT_IMAGE names, or else
// this binary, which then has to be static (CGO_ENABLED=0).
func BenchmarkStep(b *testing.B) {
	owner, err := container.NewOwner("bench-" + rand.Text()[:10])
	if err != nil {
		b.Fatal(err)
	}
	b.Setenv(container.RunEnv, owner.String())
	e, err := newContainerExecutor(b.Context())
	if err != nil {
		testenv.Missing(b, "docker", err.Error())
	}
	defer func() {
		if e.own != nil {
			e.own.keep = false // no run will let go of it
		}
		if err := e.close(); err != nil {
			b.Error(err)
		}
	}()
	c, err := e.config(b.Context(), "") // which makes the image
	if err != nil {
		b.Fatal(err)
	}
	c.Args = []string{"true"}
	var step, floor time.Duration
	for b.Loop() {
		step += timed(b, func() error { return trueStep(b.Context(), e) })
		floor += timed(b, func() error { return bareStep(b.Context(), e.engine, c) })
	}
	b.ReportMetric(float64(step.Microseconds())/1e3/float64(b.N), "step-ms/op")
	b.ReportMetric(float64(floor.Microseconds())/1e3/float64(b.N), "floor-ms/op")
	b.ReportMetric(100*(float64(step)/float64(floor)-1), "%-added")
}

func timed(b *testing.B, f func() error) time.Duration {
	b.Helper()
	began := time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

func trueStep(ctx context.Context, e *containerExecutor) error {
	_, err := e.runStep(ctx, step{command: "true"}, func(string) {})
	return err
}

// bareStep is what a step cannot do without: its output has to be read as well, and
// that is a request on its own.
func bareStep(ctx context.Context, engine container.Engine, c container.Config) error {
	id, err := engine.Create(ctx, c)
	if err != nil {
		return err
	}
	output, err := engine.Attach(ctx, id, io.Discard, io.Discard)
	if err != nil {
		return err
	}
	if err := engine.Start(ctx, id); err != nil {
		return err
	}
	if _, err := engine.Wait(ctx, id); err != nil {
		return err
	}
	<-output.Done()
	return engine.Remove(ctx, id)
}
