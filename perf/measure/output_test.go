package measure

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestTailKeepsTheEnd writes a stream in pieces of random sizes, some larger
// than the ring, and holds the tail against the end of the stream.
func TestTailKeepsTheEnd(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var kept tail
	for range 200 {
		size := random.IntN(50)
		kept.reset(size)
		var stream []byte
		for range random.IntN(20) {
			piece := make([]byte, random.IntN(80))
			for i := range piece {
				piece[i] = byte(random.IntN(256))
			}
			stream = append(stream, piece...)
			kept.add(piece)
			if want := stream[max(0, len(stream)-size):]; !bytes.Equal(kept.bytes(), want) {
				t.Fatalf("tail of %d after %d bytes is %x, want %x", size, len(stream), kept.bytes(), want)
			}
		}
		if kept.total != int64(len(stream)) {
			t.Fatalf("counted %d bytes of %d", kept.total, len(stream))
		}
	}
}

func TestFailureSentence(t *testing.T) {
	tests := []struct {
		name string
		run  Run
		want string
	}{
		{"success", Run{Args: []string{"make"}}, ""},
		{"silent", Run{Args: []string{"make", "all"}, ExitCode: 2}, "make all: exit status 2, without output"},
		{"blank output", Run{Args: []string{"x"}, ExitCode: 1, Output: []byte(" \n\n")}, "x: exit status 1, without output"},
		{"signal", Run{Args: []string{"a b", "it's"}, ExitCode: -1, Signal: "SIGSEGV", Output: []byte("one\ntwo\n\n")},
			"'a b' 'it'\\''s': killed by SIGSEGV; its last lines:\n\tone\n\ttwo"},
		{"timeout before signal", Run{Args: []string{"x"}, ExitCode: -1, Signal: "SIGTERM", TimedOut: true, Timeout: 2 * time.Second},
			"x: timed out after 2s, without output"},
		{"progress, colour, bad UTF-8", Run{Args: []string{"x"}, ExitCode: 1, Output: []byte("10%\r50%\r99%\r\n\x1b[31mred\x1b[0m \xff\n")},
			"x: exit status 1; its last lines:\n\t99%\n\tred ?"},
		{"long", Run{Args: []string{"x"}, ExitCode: 1, Output: []byte(strings.Repeat("é", 400))},
			"x: exit status 1; its last lines:\n\t" + strings.Repeat("é", 300) + "…"},
	}
	for _, test := range tests {
		err := test.run.Err()
		var f *Failure
		switch {
		case err == nil && test.want == "":
		case !errors.As(err, &f):
			t.Errorf("%s: got %v, want a *Failure", test.name, err)
		case err.Error() != test.want:
			t.Errorf("%s: got\n%s\nwant\n%s", test.name, err, test.want)
		}
	}
}

func TestFailureQuotesTenLines(t *testing.T) {
	output := strings.Repeat("line\n", 30) + "last\n"
	var f *Failure
	if !errors.As(Run{ExitCode: 1, Output: []byte(output)}.Err(), &f) {
		t.Fatal("no *Failure")
	}
	if len(f.Tail) != 10 || f.Tail[9] != "last" || f.Tail[0] != "line" {
		t.Errorf("quoted %q", f.Tail)
	}
}

func TestCommandString(t *testing.T) {
	for want, args := range map[string][]string{
		"ls -l":               {"ls", "-l"},
		"echo '' 'a\tb' '$1'": {"echo", "", "a\tb", "$1"},
		"sh -c 'a | b'":       {"sh", "-c", "a | b"},
	} {
		if got := (Command{Args: args}).String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	long := Command{Args: []string{strings.Repeat("x", 500)}}.String()
	if len(long) > 210 || !strings.HasSuffix(long, "…") {
		t.Errorf("a long command is %d bytes", len(long))
	}
}
