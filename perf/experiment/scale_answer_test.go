package experiment

import (
	"slices"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// figures are a level with a throughput, a start and the program's part of it.
func figures(n int, rate, start, program float64) levelFigures {
	low, high := 0.98*rate, 1.02*rate
	return levelFigures{n: n, rate: perf.Summary{N: 6, Center: rate, Low: &low, High: &high}, life: start + 0.08, start: start, program: program,
		phases: map[string]float64{"create": 0.01, "ready": start - 0.01, "start": start - 0.012, "stop": 0.06, "remove": 0.01, "exec": 0.05}}
}

// divided is a level of which was seen what its engine does, and how many processors it
// keeps busy.
func divided(l levelFigures, processors float64) levelFigures {
	l.where = &perf.ScalingWhere{Processors: &processors, Parts: []perf.ScalingPart{
		{Phase: "create", Step: "whole", Cause: "disk and file systems", Seconds: 0.19}, {Phase: "start", Step: "runtime", Cause: "the engine's processor time", Seconds: 0.3},
		{Phase: "start", Step: "runtime", Cause: "waiting for a processor", Seconds: 0.5}, {Phase: "start", Step: "program", Cause: "the program itself", Seconds: 0.01},
		{Phase: "stop", Step: "whole", Cause: "network set-up", Seconds: 7},
	}, Programs: []perf.ScalingProgram{{Program: "runc", CPU: 0.08}, {Program: "fuse-overlayfs", CPU: 0.02}}}
	return l
}

// undivided is a level whose engine could not be looked into.
func undivided(l levelFigures) levelFigures {
	l.where = &perf.ScalingWhere{Undivided: "it takes the rights of root"}
	return l
}

// once is a level that was visited once.
func once(l levelFigures) levelFigures {
	l.rate.Low, l.rate.High, l.rates = nil, nil, perf.Sample{l.rate.Center}
	return l
}

// What the engine waits for is advised against only where it was seen, and has a share.
func TestRelieve(t *testing.T) {
	level := figures(8, 9.3, 0.75, 0)
	for name, row := range map[string]struct {
		level levelFigures
		want  []string
	}{
		"all taken": {divided(level, 1.8), []string{
			"give the engine more processors: at 8 in parallel it waits for one for 50 % of a start, while its programs keep 1.8 of 2 busy",
			"put the engine's data on a faster disk: at 8 in parallel it waits for disk and file systems for 19 % of a start",
			"let the kernel stack the images' layers (the storage driver overlay2): fuse-overlayfs, which does that as a process, takes 20 ms of processor time for each life, 20 % of the engine's"}},
		"taken by others": {divided(level, 0.6), []string{
			"give the engine more processors or fewer competitors for them: at 8 in parallel it waits for one for 50 % of a start, while its programs keep 0.6 of 2 busy as far as was seen; other work may have the rest, or its programs that are gone too soon to be seen"}},
		"not seen":  {undivided(level), nil},
		"not there": {level, nil},
	} {
		if got := relieve(row.level, 2); len(row.want) > len(got) || !slices.Equal(got[:len(row.want)], row.want) || row.want == nil && got != nil {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}

// unbounded is a level of so few visits that its throughput has no interval.
func unbounded(l levelFigures) levelFigures {
	l.rate.Low, l.rate.High = nil, nil
	return l
}

func TestAnswer(t *testing.T) {
	saturated := []levelFigures{figures(1, 4.6, 0.2, 0.001), figures(8, 9.3, 0.75, 0.002), figures(100, 9.25, 10.3, 0.1)}
	for name, row := range map[string]struct {
		levels []levelFigures
		want   string
	}{
		"saturated": {saturated, "A start takes 10.3 s at 100 in parallel, because this engine finishes 9.25 a second from 8 in parallel on; 97 % of it is waiting for the engine; to begin at most 8 at once would help. " +
			"100 under way at 9.25 a second are 10.8 s for each, from create to removed (10.4 s were measured). At 1 in parallel a start takes 200 ms, 1 ms of it in the program. Of what a whole life takes longer, 100 % is in start to ready."},
		"falls": {[]levelFigures{figures(1, 4.6, 0.2, 0), figures(8, 9.3, 0.75, 0), figures(100, 5, 19, 0)},
			"A start takes 19 s at 100 in parallel, because this engine finishes at most 9.30 a second, at 8 in parallel, and only 5.00 at 100; 99 % of it is waiting, for the engine or in the program, whose own part is not known; to begin at most 8 at once would help. " +
				"100 under way at 5.00 a second are 20 s for each, from create to removed (19.1 s were measured). At 1 in parallel a start takes 200 ms. Of what a whole life takes longer, 100 % is in start to ready."},
		"falls, perhaps": {[]levelFigures{figures(1, 4.6, 0.2, 0), figures(8, 9.3, 0.75, 0), once(figures(100, 5, 19, 0))},
			"A start takes 19 s at 100 in parallel, because this engine finishes no more from 8 in parallel on (9.30 a second there and 5.00 at 100, which so few visits do not tell apart); 99 % of it is waiting, for the engine or in the program, whose own part is not known; to begin at most 8 at once would help. " +
				"100 under way at 5.00 a second are 20 s for each, from create to removed (19.1 s were measured). At 1 in parallel a start takes 200 ms. Of what a whole life takes longer, 100 % is in start to ready."},
		"all of it in the program": {[]levelFigures{figures(1, 0.6, 1.6, 1.4), figures(4, 1.2, 3.2, 3.05), figures(8, 1.2, 6.4, 6.3)},
			"A start takes 6.40 s at 8 in parallel, because this engine finishes 1.20 a second from 4 in parallel on; 77 % of it is the program's waiting for processor and disk; " +
				"to begin at most 4 at once or to share one container among tests, or make its program start faster would help. " +
				"8 under way at 1.20 a second are 6.67 s for each, from create to removed (6.48 s were measured). At 1 in parallel a start takes 1.60 s, 1.40 s of it in the program. Of what a whole life takes longer, 100 % is in start to ready."},
		"perhaps rises": {[]levelFigures{figures(1, 4.6, 0.2, 0.001), figures(2, 9.1, 0.205, 0.001), unbounded(figures(4, 9.8, 0.206, 0.001))},
			"A start takes 206 ms at 4 in parallel, and the most are finished there, 9.80 a second, but the visits are too few or too different to tell whether throughput still rises; it takes hardly longer than at 1 in parallel (200 ms)."},
		"the program waits": {[]levelFigures{figures(1, 0.6, 1.6, 1.4), figures(4, 1.2, 3.2, 2.2), figures(8, 1.2, 6.4, 4.4)},
			"A start takes 6.40 s at 8 in parallel, because this engine finishes 1.20 a second from 4 in parallel on; 28 % of it is waiting for the engine and 47 % the program's waiting for processor and disk; " +
				"to begin at most 4 at once or to share one container among tests, or make its program start faster would help. " +
				"8 under way at 1.20 a second are 6.67 s for each, from create to removed (6.48 s were measured). At 1 in parallel a start takes 1.60 s, 1.40 s of it in the program. Of what a whole life takes longer, 100 % is in start to ready."},
		"rises": {[]levelFigures{figures(1, 4.6, 0.2, 0), figures(2, 9.1, 0.205, 0)},
			"A start takes 205 ms at 2 in parallel, and throughput still rises there, to 9.10 a second: no level was reached from which on containers wait for each other alone; it takes hardly longer than at 1 in parallel (200 ms)."},
		"divided": {[]levelFigures{figures(1, 4.6, 0.2, 0), divided(figures(8, 9.3, 0.75, 0), 1.8)},
			"A start takes 750 ms at 8 in parallel, and throughput still rises there, to 9.30 a second: no level was reached from which on containers wait for each other alone; 73 % of it is waiting, for the engine or in the program, whose own part is not known " +
				"(of the start, 50 % waiting for a processor; 30 % the engine's processor time; 19 % disk and file systems); to give the engine more processors, to put the engine's data on a faster disk or to let the kernel stack the images' layers (the storage driver overlay2) would help. " +
				"At 1 in parallel a start takes 200 ms. Of what a whole life takes longer, 100 % is in start to ready."},
		"undivided": {[]levelFigures{figures(1, 4.6, 0.2, 0), undivided(figures(8, 9.3, 0.75, 0))},
			"A start takes 750 ms at 8 in parallel, and throughput still rises there, to 9.30 a second: no level was reached from which on containers wait for each other alone; 73 % of it is waiting, for the engine or in the program, whose own part is not known " +
				"(of the start, engine, undivided: it takes the rights of root). At 1 in parallel a start takes 200 ms. Of what a whole life takes longer, 100 % is in start to ready."},
		"one level": {[]levelFigures{figures(1, 4.6, 0.2, 0)},
			"A start takes 200 ms at 1 in parallel, and 4.60 a second are started and removed again. Why, only several levels can tell."},
	} {
		advice := append(advise(row.levels), relieve(row.levels[len(row.levels)-1], 2)...)
		if got := answer(row.levels, advice); got != row.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, row.want)
		}
	}
}

func TestAdvice(t *testing.T) {
	saturated := []levelFigures{figures(1, 4.6, 0.2, 0.001), figures(8, 9.3, 0.75, 0.002), figures(100, 9.25, 10.3, 0.1)}
	want := []string{"begin at most 8 at once: a start then takes 750 ms and not 10.3 s, and as many are finished a second (9.30, against 9.25 at 100)"}
	if got := advise(saturated); !slices.Equal(got, want) {
		t.Errorf("advice %q", got)
	}
	if got := keepContainers(saturated); got != "keep containers and run commands in them: an exec takes 50 ms at 1 in parallel, and a whole life 280 ms" {
		t.Errorf("advice %q", got)
	}
	falls := []levelFigures{figures(1, 4.6, 0.2, 0), figures(8, 9.3, 0.75, 0), figures(100, 5, 19, 0)}
	if got := advise(falls); len(got) != 1 || !strings.Contains(got[0], "and more are finished a second (9.30, against 5.00 at 100)") {
		t.Errorf("advice %q", got)
	}
	slow := []levelFigures{figures(1, 0.6, 1.6, 1.4)}
	if got := advise(slow); len(got) != 1 || !strings.Contains(got[0], "1.40 s of the 1.60 s of a start at 1 in parallel are the program's own") {
		t.Errorf("advice %q", got)
	}
	if got := advise([]levelFigures{figures(1, 4.6, 0.2, 0), figures(2, 9.1, 0.205, 0)}); len(got) != 0 {
		t.Errorf("where nothing is wrong: %q", got)
	}
}

// Another network is named only where the intervals of the two do not touch.
func TestOtherNetwork(t *testing.T) {
	list := []perf.Scaling{{Name: "network none"}, {Name: "network bridge"}, {Name: "network host"}}
	all := [][]levelFigures{
		{figures(1, 4.6, 0.2, 0), figures(8, 5.3, 1.5, 0)},
		{figures(1, 4.4, 0.2, 0), figures(8, 5.2, 1.5, 0), figures(16, 5, 3, 0)},
		{figures(1, 6.1, 0.1, 0), figures(8, 9.3, 0.8, 0)},
	}
	want := "use network host: it finishes 9.30 a second at 8 in parallel, and bridge only 5.20"
	if got := otherNetwork(list, all, 1); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := otherNetwork(list, all, 2); got != "" {
		t.Errorf("for the fastest: %q", got)
	}
	if got := otherNetwork(list[:2], all[:2], 1); got != "" {
		t.Errorf("where intervals touch: %q", got)
	}
	all[2][1].rate.Low = nil
	if got := otherNetwork(list, all, 0); got != "" {
		t.Errorf("without an interval: %q", got)
	}
}

// Where there are too few visits for intervals, all of one must be faster than all of the
// other, and be so many that this is no chance.
func TestApartByVisits(t *testing.T) {
	visits := func(rates ...float64) levelFigures {
		return levelFigures{rates: rates, rate: perf.Summary{N: len(rates)}}
	}
	for name, row := range map[string]struct {
		slow, fast levelFigures
		want       bool
	}{
		"four and four":   {visits(4, 4.1, 4.2, 4.3), visits(9, 9.1, 9.2, 4.31), true},
		"three and three": {visits(4, 4.1, 4.2), visits(9, 9.1, 9.2), false},
		"three and five":  {visits(4, 4.1, 4.2), visits(9, 9.1, 9.2, 9.3, 9.4), true},
		"they overlap":    {visits(4, 4.1, 4.2, 4.3), visits(9, 9.1, 9.2, 4.3), false},
		"none":            {visits(), visits(9, 9.1, 9.2, 9.3, 9, 9, 9), false},
		"the intervals":   {figures(8, 5, 1, 0), figures(8, 9, 1, 0), true},
	} {
		if got := apart(row.slow, row.fast); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
