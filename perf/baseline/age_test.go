package baseline

import (
	"strings"
	"testing"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

func TestAge(t *testing.T) {
	for _, row := range []struct {
		age  time.Duration
		want string // in the text; empty where there is no warning
	}{
		{0, ""},
		{MaxAge, ""},
		{MaxAge + time.Nanosecond, "30 days old (made on 2026-11-23)"},
		{45*24*time.Hour + 23*time.Hour, "45 days old"},
		{-clockSkew, ""},
		{-clockSkew - time.Nanosecond, "yet to come"},
	} {
		w, warned := Age("main", created, created.Add(row.age))
		if warned != (row.want != "") || !strings.Contains(w.Text, row.want) {
			t.Errorf("after %v: %v, %v; want %q", row.age, w, warned, row.want)
		}
		if warned && (w.Kind != perf.WarnStale || !strings.Contains(w.Text, `"main"`)) {
			t.Errorf("after %v: %v", row.age, w)
		}
		if !warned && w != (perf.Warning{}) {
			t.Errorf("after %v: a warning that is none: %v", row.age, w)
		}
	}
}

// A time zone is no age: the same moment is written in two of them.
func TestAgeAcrossZones(t *testing.T) {
	east := time.FixedZone("", 14*3600)
	if w, warned := Age("main", created.In(east), created.Add(MaxAge)); warned {
		t.Errorf("the zone has made it old: %v", w)
	}
}
