package perf

import "testing"

func TestEditDistance(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"kitten", "sitting", 3}, {"mian", "main", 1},
		{"main", "mains", 1}, {"ab", "ba", 1}, {"ca", "abc", 3}, {"v1.0", "v1.1", 1}, {"abcd", "badc", 2},
	} {
		if got := EditDistance(row.a, row.b); got != row.want {
			t.Errorf("%q to %q takes %d edits, want %d", row.a, row.b, got, row.want)
		}
		if got := EditDistance(row.b, row.a); got != row.want {
			t.Errorf("%q to %q takes %d edits, want %d", row.b, row.a, got, row.want)
		}
	}
}
