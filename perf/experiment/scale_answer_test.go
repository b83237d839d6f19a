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
		"saturated": {saturated, "A start takes 10.3 s at 100 in parallel, because this engine finishes 9.25 a second from 8 in parallel on: 100 under way at 9.25 a second are 10.8 s for each, from create to removed (10.4 s were measured). " +
			"97 % of the start is waiting for the engine: at 1 in parallel it takes 200 ms, 1 ms of it in the program. Of what a whole life takes longer, 100 % is in start to ready."},
		"falls": {[]levelFigures{figures(1, 4.6, 0.2, 0), figures(8, 9.3, 0.75, 0), figures(100, 5, 19, 0)},
			"A start takes 19 s at 100 in parallel, because this engine finishes at most 9.30 a second, at 8 in parallel, and only 5.00 at 100: 100 under way at 5.00 a second are 20 s for each, from create to removed (19.1 s were measured). " +
				"99 % of the start is waiting, for the engine or in the program, whose own part is not known: at 1 in parallel it takes 200 ms. Of what a whole life takes longer, 100 % is in start to ready."},
		"all of it in the program": {[]levelFigures{figures(1, 0.6, 1.6, 1.4), figures(4, 1.2, 3.2, 3.05), figures(8, 1.2, 6.4, 6.3)},
			"A start takes 6.40 s at 8 in parallel, because this engine finishes 1.20 a second from 4 in parallel on: 8 under way at 1.20 a second are 6.67 s for each, from create to removed (6.48 s were measured). " +
				"77 % of the start is the program's waiting for processor and disk: at 1 in parallel it takes 1.60 s, 1.40 s of it in the program. Of what a whole life takes longer, 100 % is in start to ready."},
		"perhaps rises": {[]levelFigures{figures(1, 4.6, 0.2, 0.001), figures(2, 9.1, 0.205, 0.001), unbounded(figures(4, 9.8, 0.206, 0.001))},
			"A start takes 206 ms at 4 in parallel, and the most are finished there, 9.80 a second, but the visits are too few or too different to tell whether throughput still rises. A start takes hardly longer than at 1 in parallel (200 ms)."},
		"the program waits": {[]levelFigures{figures(1, 0.6, 1.6, 1.4), figures(4, 1.2, 3.2, 2.2), figures(8, 1.2, 6.4, 4.4)},
			"A start takes 6.40 s at 8 in parallel, because this engine finishes 1.20 a second from 4 in parallel on: 8 under way at 1.20 a second are 6.67 s for each, from create to removed (6.48 s were measured). " +
				"28 % of the start is waiting for the engine and 47 % the program's waiting for processor and disk: at 1 in parallel it takes 1.60 s, 1.40 s of it in the program. Of what a whole life takes longer, 100 % is in start to ready."},
		"rises": {[]levelFigures{figures(1, 4.6, 0.2, 0), figures(2, 9.1, 0.205, 0)},
			"A start takes 205 ms at 2 in parallel, and throughput still rises there, to 9.10 a second: no level was reached from which on containers wait for each other alone. A start takes hardly longer than at 1 in parallel (200 ms)."},
		"one level": {[]levelFigures{figures(1, 4.6, 0.2, 0)},
			"A start takes 200 ms at 1 in parallel, and 4.60 a second are started and removed again. Why, only several levels can tell."},
	} {
		if got := answer(row.levels); got != row.want {
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
