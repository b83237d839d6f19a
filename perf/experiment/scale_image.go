package experiment

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/container"
)

// A scaleImage is what the containers of a Scale are made from.
type scaleImage struct {
	program []byte // of the probe; nil where the image is the user's
	made    string // the name by which the run holds its own image
	colds   uint64 // images made so far for cold lifecycles
}

// setup finds or makes the image, and sees whether each network can be used.
func (x *scaling) setup(ctx context.Context) error {
	if x.Absent != nil {
		return &Unavailable{x.Absent.Error()}
	}
	if x.Engine == nil {
		return &Unavailable{"there is no container engine"}
	}
	x.Spec.Config.Labels = x.Owner.Labels()
	if x.Spec.Config.Image == "" {
		if err := x.makeProbe(ctx); err != nil {
			return err
		}
	} else if err := x.findImage(ctx); err != nil {
		return err
	}
	// When a network was joined only the engine can tell, by a clock that must be this
	// process's.
	if x.Engine.Info().SharesClock {
		joins, err := container.StartNetworkRecorder(ctx, x.Engine)
		if err != nil {
			return err
		}
		x.joins = joins
		x.Spec.Joins = joins
	}
	return x.warmUp(ctx)
}

// findImage makes sure of an image of the user's, which each lifecycle looks up as well.
func (x *scaling) findImage(ctx context.Context) error {
	x.Spec.LookUp = true
	name := x.Spec.Config.Image
	if x.Pull {
		return x.pull(ctx, name)
	}
	_, err := x.Engine.Image(ctx, name)
	if errors.Is(err, container.ErrNotFound) {
		return &Unavailable{fmt.Sprintf("the engine has no image %s, and nothing is pulled unasked: -pull, or docker pull %s", name, name)}
	}
	return err
}

// pull gets the image, which is a workload of its own where the engine did not have it. An
// image that cannot be had is no fault of what is measured.
func (x *scaling) pull(ctx context.Context, name string) error {
	done, err := container.Pull{Image: name, Show: x.Hooks.Pulling}.Run(ctx, x.Engine)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return &Unavailable{err.Error()}
	}
	if done.Warm {
		return nil
	}
	x.announce("pulled %s in %s: %d layers of %s, %d were there", name, perf.Second.Format(done.Took.Seconds()), done.Layers, perf.Byte.Format(float64(done.Bytes)), done.Had)
	x.pulled = &perf.WorkloadResult{Name: pullWorkload, State: perf.StateOK, OneShot: true}
	collect(x.pulled, Observation{Values: []Value{{perf.ContainerImage, done.Took.Seconds()}, {perf.BytesRead, float64(done.Bytes)}}})
	for i := range x.pulled.Metrics {
		x.pulled.Metrics[i].Summary = fixedSummary(x.pulled.Metrics[i].Samples)
	}
	return nil
}

// pullWorkload is the name under which a pull is in a result.
const pullWorkload = "pull"

// makeProbe makes the probe's image.
func (x *scaling) makeProbe(ctx context.Context) error {
	program, err := x.buildProbe(ctx)
	if err != nil {
		return err
	}
	x.image.program = program
	archive, err := x.pack(program, "probe")
	if err != nil {
		return err
	}
	x.image.made = archive.Name
	if _, _, err := container.EnsureImage(ctx, x.Engine, archive); err != nil {
		return err
	}
	x.Spec.Archive = &archive
	return nil
}

// warmUp runs one lifecycle in each network, which shows whether the engine has it.
func (x *scaling) warmUp(ctx context.Context) error {
	for _, network := range x.Networks {
		c := &scaleCell{network: network, parallel: 1}
		if x.unreachable(x.Engine.Info(), network, 1) != "" {
			continue
		}
		v := x.block(ctx, c, 1, func(int) {})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if v.err == nil {
			continue
		}
		reason := v.err.Error()
		if errors.Is(v.err, container.ErrNotFound) {
			x.exclude(func(c *scaleCell) string {
				if c.network != network {
					return ""
				}
				return fmt.Sprintf("the engine has no network %s: %s", network, firstLine(reason))
			})
			continue
		}
		x.failNetwork(network, reason)
	}
	return nil
}

// failNetwork fails the lowest level of a network, for which the others then wait in vain.
func (x *scaling) failNetwork(network, reason string) {
	var lowest *scaleCell
	for _, c := range x.cells {
		switch {
		case c.network != network || c.excluded != "":
		case lowest == nil:
			lowest = c
			c.failed = reason
		default:
			c.excluded = fmt.Sprintf("because %s failed: %s", lowest.name(), firstLine(reason))
		}
	}
}

// cold runs a lifecycle with an image that the engine has never seen: the program is the
// probe's with a number behind its end, which no loader reads, so that neither the image
// nor its layer is there. The image is removed again, which is not timed.
func (i *scaleImage) cold(ctx context.Context, x *scaling, spec container.Spec) (container.Phases, error) {
	i.colds++
	program := binary.LittleEndian.AppendUint64(append([]byte(nil), i.program...), i.colds^x.Seed)
	program = append(program, x.Owner.String()...)
	archive, err := x.pack(program, fmt.Sprintf("cold-%d", i.colds))
	if err != nil {
		return container.Phases{}, err
	}
	spec.Archive = &archive
	p, err := x.Life(ctx, spec)
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if gone := x.Engine.RemoveImage(within, archive.Name); gone != nil && !errors.Is(gone, container.ErrNotFound) && err == nil {
		err = fmt.Errorf("removing the image of a cold lifecycle: %w", gone)
	}
	return p, err
}

// cleanup gives back what the setup took.
func (x *scaling) cleanup(ctx context.Context) error {
	if x.joins != nil {
		x.joins.Stop()
	}
	if x.image.made == "" {
		return nil
	}
	err := x.Engine.RemoveImage(ctx, x.image.made)
	if errors.Is(err, container.ErrNotFound) {
		return nil
	}
	return err
}
