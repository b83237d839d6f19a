package measure

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// allowedList is what the kernel says of a process.
func allowedList(t *testing.T, status []byte) string {
	t.Helper()
	for line := range bytes.Lines(status) {
		if list, ok := strings.CutPrefix(string(line), "Cpus_allowed_list:"); ok {
			return strings.TrimSpace(list)
		}
	}
	t.Fatalf("no Cpus_allowed_list in %q", status)
	return ""
}

func TestSeat(t *testing.T) {
	if len(allowedCPUs()) < 2 {
		t.Skip("there is only one CPU")
	}
	before := allowedCPUs()
	seat, err := TakeSeat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer seat.Release()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	others := slices.DeleteFunc(slices.Clone(before), func(c int) bool { return c == seat.CPU })
	if got, want := allowedList(t, status), cpuList(others); got != want {
		t.Errorf("this process may run on %s, want %s", got, want)
	}
	var output bytes.Buffer
	cmd := Command{Args: []string{"/bin/cat", "/proc/self/status"}, CPUs: []int{seat.CPU}, OnOutput: func(_ int, p []byte, _ time.Time) { output.Write(p) }}
	run, err := cmd.Run(t.Context())
	if err != nil || run.Err() != nil {
		t.Fatal(err, run.Err())
	}
	if got, want := allowedList(t, output.Bytes()), cpuList([]int{seat.CPU}); got != want {
		t.Errorf("the command ran on %s, want %s", got, want)
	}
	for range 2 {
		if err := seat.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if got := allowedCPUs(); !slices.Equal(got, before) {
		t.Errorf("after Release this process may run on %v, before on %v", got, before)
	}
	if err := (*Seat)(nil).Release(); err != nil {
		t.Errorf("releasing no seat: %v", err)
	}
}

func TestQuietest(t *testing.T) {
	before := map[int]uint64{0: 100, 1: 100, 2: 100}
	for _, row := range []struct {
		after map[int]uint64
		want  int
	}{
		{map[int]uint64{0: 120, 1: 119, 2: 101}, 0},
		{map[int]uint64{0: 101, 1: 119, 2: 118}, 1},
		{map[int]uint64{0: 120, 1: 120, 2: 120}, 2},
	} {
		if got := quietest([]int{0, 1, 2}, before, row.after); got != row.want {
			t.Errorf("idle %v: CPU %d, want %d", row.after, got, row.want)
		}
	}
}
