package perf

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// The order is written out once more here: 2 over 3 over 1 over 4 over 0.
func TestWorstExitOfEveryPair(t *testing.T) {
	order := []int{ExitUsage, ExitGate, ExitFailure, ExitUnjudged, ExitOK}
	if !slices.Equal(order, []int{2, 3, 1, 4, 0}) {
		t.Fatalf("the statuses are numbered %v", order)
	}
	for i, a := range order {
		for j, b := range order {
			if got, want := WorstExit(a, b), order[min(i, j)]; got != want {
				t.Errorf("WorstExit(%d, %d) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestWorstExitOfStrangers(t *testing.T) {
	for _, row := range []struct {
		statuses []int
		want     int
	}{
		{nil, ExitOK}, {[]int{137}, ExitFailure}, {[]int{-1, ExitUnjudged}, ExitFailure},
		{[]int{137, ExitGate}, ExitGate}, {[]int{0, 0, 4, 1, 3, 2, 0}, ExitUsage},
	} {
		if got := WorstExit(row.statuses...); got != row.want {
			t.Errorf("WorstExit(%v) = %d, want %d", row.statuses, got, row.want)
		}
	}
}

func TestExitStatus(t *testing.T) {
	cause := errors.New("cause")
	for name, row := range map[string]struct {
		err  error
		want int
	}{
		"no error":                {nil, ExitOK},
		"a plain error":           {cause, ExitFailure},
		"usage":                   {Usagef("no workload %q", "x"), ExitUsage},
		"wrapped":                 {fmt.Errorf("outer: %w", &StatusError{ExitGate, cause}), ExitGate},
		"joined":                  {errors.Join(cause, &StatusError{ExitUnjudged, cause}), ExitUnjudged},
		"the outermost wins":      {&StatusError{ExitFailure, &StatusError{ExitGate, cause}}, ExitFailure},
		"an error without status": {&StatusError{Err: cause}, ExitFailure},
		"an empty error":          {&StatusError{}, ExitFailure},
	} {
		if got := ExitStatus(row.err); got != row.want {
			t.Errorf("%s: %d, want %d", name, got, row.want)
		}
	}
}

// Mage asks the error itself, by this method.
func TestStatusErrorIsWhatMageTakes(t *testing.T) {
	cause := errors.New("cause")
	for _, row := range []struct {
		err    error
		status int
		text   string
	}{
		{&StatusError{ExitGate, cause}, ExitGate, "cause"},
		{&StatusError{0, cause}, ExitFailure, "cause"},
		{&StatusError{}, ExitFailure, "exit status 1"},
		{Usagef("%d of %w", 3, cause), ExitUsage, "3 of cause"},
	} {
		status, ok := row.err.(interface{ ExitStatus() int })
		if !ok || status.ExitStatus() != row.status || row.err.Error() != row.text {
			t.Errorf("%#v: status %v, text %q; want %d, %q", row.err, status, row.err, row.status, row.text)
		}
	}
	if !errors.Is(Usagef("x: %w", cause), cause) {
		t.Error("the cause cannot be found in an error of Usagef")
	}
}
