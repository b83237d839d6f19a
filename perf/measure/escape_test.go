package measure_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
)

func TestFailureQuotesColouredOutputPlain(t *testing.T) {
	r := measure.Run{Args: []string{"cc"}, ExitCode: 1, Output: []byte("\x1b]0;title\x07\x1b[1;31merror\x1b[0m: x.c:1\n\x1b[2K\x1b[K  done\x1b[m\n\x1b[0m\n")}
	f, ok := errors.AsType[*measure.Failure](r.Err())
	if !ok {
		t.Fatalf("%v is no failure", r.Err())
	}
	if want := []string{"error: x.c:1", "  done"}; !slices.Equal(f.Tail, want) {
		t.Errorf("tail %q, want %q", f.Tail, want)
	}
}
