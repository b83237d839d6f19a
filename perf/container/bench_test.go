package container

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
)

// BenchmarkLifecycle compares Lifecycle with the floor: the four requests that a
// lifecycle cannot do without, made by the Docker client itself. The floor attaches to
// nothing and waits for nothing; where the machine is so busy that its program is asked
// to end before it listens, it is killed after the grace and no floor. Every iteration runs both, in random order, because
// other work on the machine moves the level within seconds. Reported are medians:
// floor-ms, total-ms (what Lifecycle reports) and wall-ms (what calling it takes),
// and the medians over the pairs of how much longer total and wall are, in percent,
// that of the total with its 95 % interval. On a busy machine that is wide; own-%
// is not: all the time of a call outside of those four requests, by their time.
// The bound for the total is 5 %, the goal 2 %; at least 50 pairs tell
// (-benchtime=50x).
func BenchmarkLifecycle(b *testing.B) {
	e := realEngine(b)
	a := probeImage(b, e)
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	s := probeSpec(a)
	var floors, totals, walls, moreTotal, moreWall, own []float64
	for b.Loop() {
		var floor, total, wall time.Duration
		both := []func(){
			func() { floor = bareLifecycle(b, c, a.Name) },
			func() {
				began := time.Now()
				p, err := Lifecycle(b.Context(), e, s)
				wall = time.Since(began)
				if err != nil {
					b.Fatal(err)
				}
				total = p.Total()
				requests := p.Create + p.Start + p.Stop + p.Remove
				own = append(own, 100*(wall-requests).Seconds()/requests.Seconds())
			},
		}
		rand.Shuffle(2, func(i, j int) { both[i], both[j] = both[j], both[i] })
		both[0]()
		both[1]()
		floors, totals, walls = append(floors, milliseconds(floor)), append(totals, milliseconds(total)), append(walls, milliseconds(wall))
		moreTotal = append(moreTotal, 100*(total-floor).Seconds()/floor.Seconds())
		moreWall = append(moreWall, 100*(wall-floor).Seconds()/floor.Seconds())
	}
	b.ReportMetric(0, "ns/op") // of both together: it says nothing
	b.ReportMetric(median(floors), "floor-ms")
	b.ReportMetric(median(totals), "total-ms")
	b.ReportMetric(median(walls), "wall-ms")
	low, high := medianInterval(moreTotal)
	b.ReportMetric(median(moreTotal), "total-%-more")
	b.ReportMetric(low, "total-%-low")
	b.ReportMetric(high, "total-%-high")
	b.ReportMetric(median(moreWall), "wall-%-more")
	b.ReportMetric(median(own), "own-%")
}

// bareLifecycle is what cannot be left out.
func bareLifecycle(b *testing.B, c *client.Client, image string) time.Duration {
	b.Helper()
	ctx, grace := context.Background(), 5
	began := time.Now()
	made, err := c.ContainerCreate(ctx, &container.Config{Image: image, Labels: testLabels()}, &container.HostConfig{NetworkMode: "none"}, nil, nil, "")
	if err == nil {
		err = c.ContainerStart(ctx, made.ID, container.StartOptions{})
	}
	if err == nil {
		err = c.ContainerStop(ctx, made.ID, container.StopOptions{Timeout: &grace})
	}
	if err == nil {
		err = c.ContainerRemove(ctx, made.ID, container.RemoveOptions{})
	}
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1e3 }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// medianInterval is a 95 % interval for the median by order statistics, with the
// normal approximation to their ranks.
func medianInterval(values []float64) (low, high float64) {
	sorted := slices.Sorted(slices.Values(values))
	n := float64(len(sorted))
	reach := 1.96 * math.Sqrt(n) / 2
	first := max(0, int(math.Floor(n/2-reach)))
	last := min(len(sorted)-1, int(math.Ceil(n/2+reach)))
	return sorted[first], sorted[last]
}
