package report

import (
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                           "plain",
		"\x1b[1;31merror\x1b[0m: x":       "error: x",
		"\x1b]0;title\x07a":               "a",
		"\x1b]8;;http://x\x1b\\link":      "link",
		"a\x1bb":                          "a·b",
		"\x1b[":                           "·[",
		"a\nb\r\bc\x00":                   "a·b··c·",
		"a\tb":                            "a b",
		"\u009b2J":                        "·2J",
		"a\u202eb\u2066c\u200bd\ufeff":    "a·b·c·d·",
		"a\u2028b\u2029c":                 "a·b·c",
		"\xff\xfe":                        "\ufffd\ufffd",
		"日本 é <b>&amp;":                   "日本 é <b>&amp;",
		"\x1b[38;5;208m\x1b[Kdeep\x1b[0m": "deep",
	} {
		if got := clean(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestIndent(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "",
		"one\n":               "one",
		"one\r\ntwo\r\n":      "one\n    two",
		"one  \n\n\ttwo \n\n": "one\n\n        two",
		"one\n\x1b[2Jtwo":     "one\n    two",
	} {
		if got := indent(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestColumns(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "é": 1, "e\u0301": 1, "日本": 4, "ｆ": 2, "ﾊ": 1, "\U0001f600": 2, "µs …": 4, "한": 2} {
		if got := columns(text); got != want {
			t.Errorf("%q takes %d columns, want %d", text, got, want)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, row := range []struct {
		text  string
		limit int
		want  string
	}{
		{"short", 5, "short"},
		{"abcdefghij", 7, "abcd…ij"},
		{"日本語日本語", 12, "日本語日本語"},
		{"日本語日本語", 7, "日本…語"},
		{"abc", 1, "…"},
		{"abc", 2, "a…"},
	} {
		if got := shorten(row.text, row.limit); got != row.want {
			t.Errorf("%q in %d: %q, want %q", row.text, row.limit, got, row.want)
		}
	}
}

// FuzzShorten holds that a shortened text fits, and that what is cleaned stays on its
// line and is clean.
func FuzzShorten(f *testing.F) {
	f.Add(nasty, 10)
	f.Add("日本語", 3)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = max(limit, 1)
		if got := shorten(text, limit); columns(got) > limit {
			t.Errorf("%q in %d: %q takes %d", text, limit, got, columns(got))
		}
		got := clean(text)
		if clean(got) != got || strings.ContainsAny(got, "\n\r\x1b\t") {
			t.Errorf("%q becomes %q", text, got)
		}
	})
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 300 * time.Millisecond: "0.3 s", 15 * time.Second: "15 s", 59400 * time.Millisecond: "59.4 s",
		time.Minute: "1 min", 80 * time.Second: "1 min 20 s", 3 * time.Minute: "3 min", time.Hour: "1 h", 65 * time.Minute: "1 h 5 min",
		25*time.Hour + 30*time.Second: "25 h",
	} {
		if got := span(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

func TestRowScale(t *testing.T) {
	for _, row := range []struct {
		unit          perf.Unit
		center, value float64
		want          string
	}{
		{perf.Second, 5.1, 5, "5.00 s"},
		{perf.Second, 0.00095, 0.001012, "1.01 ms"},
		{perf.Second, 0.00095, 0.0009, "900 µs"},
		{perf.Second, 0.0021, 0.00095, "0.95 ms"},
		{perf.Second, 0.0021, 0.000004, "4.00 µs"},
		{perf.Second, 0.002, 0, "0.00 ms"},
		{perf.Second, 0.99, 1234, "1234 s"},
		{perf.Second, 120, 7200, "7200 s"},
		{perf.Second, 0, 0, "0 s"},
		{perf.Byte, 25e6, 1.2e9, "1.20 GB"},
		{perf.Byte, 25e6, 999e6, "999.0 MB"},
		{perf.Count, 757400, 757400, "757,400"},
		{perf.Count, 757400, 1.5, "1.5"},
		{perf.Count, 1, -1234567, "-1,234,567"},
		{perf.Count, 4.2e9, 4.2e9, "4.20 G"},
		{perf.PerSecond, 9100, 9200, "9,200/s"},
		{perf.PerSecond, 18.6, 19, "19.0/s"},
		{"files/sec", 6425, 7830.4, "7,830 files/s"},
		{"tests/sec", 108, 114, "114 tests/s"},
		{"B/sec", 5e6, 7.83e6, "7.83 MB/s"},
		{perf.PerSecond, 18.6, 999.7, "1,000/s"},
		{perf.Cores, 0.475, 0.4, "0.40"},
		{perf.Ratio, 0.5, 0.25, "0.250"},
	} {
		if got := newRowScale(row.unit, row.center).format(row.value); got != row.want {
			t.Errorf("%v %s beside %v: %q, want %q", row.value, row.unit, row.center, got, row.want)
		}
	}
}

func TestInterval(t *testing.T) {
	low, high, far := 0.0018, 0.0025, 1.5
	s := newRowScale(perf.Second, 0.002)
	for _, row := range []struct {
		low, high *float64
		want      string
	}{
		{&low, &high, "1.80 to 2.50 ms"}, {&low, nil, "from 1.80 ms"}, {nil, &high, "up to 2.50 ms"}, {nil, nil, ""}, {&low, &far, "1.80 ms to 1.50 s"},
	} {
		if got := s.interval(row.low, row.high); got != row.want {
			t.Errorf("%q, want %q", got, row.want)
		}
	}
}

// A metric that is called as its unit needs no unit behind it.
func TestShownUnit(t *testing.T) {
	for _, tc := range []struct {
		name string
		unit perf.Unit
		v    float64
		want string
	}{
		{"score", "score", 17, "17.0"}, {"page-faults", "page-faults", 47920, "47920"}, {"p99-sec", "p99-sec", 2e-6, "2.00 µs"},
		{"sec/op", "sec/op", 2e-9, "2.00 ns/op"}, {"peak-B", "peak-B", 5e6, "5.00 MB"}, {"latency", "requests", 5, "5.00 requests"},
	} {
		if got := newRowScale(shownUnit(perf.Metric{Name: tc.name, Unit: tc.unit}), tc.v).format(tc.v); got != tc.want {
			t.Errorf("%s in %s: %q, want %q", tc.name, tc.unit, got, tc.want)
		}
	}
}
