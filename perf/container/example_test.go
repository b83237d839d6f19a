package container_test

import (
	"context"
	"fmt"
	"os"

	"github.com/seanchatmangpt/clnrm-perf/perf/container"
)

// Example times one lifecycle of the probe. It has no output to compare, as that
// takes an engine.
func Example() {
	ctx := context.Background()
	engine, err := container.Connect(ctx, container.Settings{Host: os.Getenv("DOCKER_HOST")})
	if err != nil {
		fmt.Println("NOT MEASURED:", err)
		return
	}
	defer engine.Close()
	info := engine.Info()
	program, err := container.BuildProbe(ctx, "go", info.OS, info.Arch)
	if err != nil {
		fmt.Println("NOT MEASURED:", err)
		return
	}
	image, err := container.ImageSpec{
		Program: program, Path: "/probe", OS: info.OS, Arch: info.Arch, Name: "clnrm-perf/probe:example",
	}.Pack()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.RemoveImage(ctx, image.Name)
	phases, err := container.Lifecycle(ctx, engine, container.Spec{
		Archive: &image,
		Config:  container.Config{Network: "none"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("ready after", phases.ContainerStart(), "and gone after", phases.Total())
}
