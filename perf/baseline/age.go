package baseline

import (
	"fmt"
	"math"
	"time"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// MaxAge is how long a baseline speaks for a machine: with time come updates of the
// kernel, the toolchain and what else runs there.
const MaxAge = 30 * 24 * time.Hour

// clockSkew is how far two clocks may disagree before a baseline from the future is
// worth a word.
const clockSkew = 24 * time.Hour

// Age warns of a baseline that is older than [MaxAge] at the time now, or that claims
// to be made after it, and would then never grow old. It reports whether there is a
// warning.
func Age(name string, created, now time.Time) (perf.Warning, bool) {
	age := now.Sub(created)
	date := created.UTC().Format(time.DateOnly)
	switch {
	case age > MaxAge:
		days := int(math.Floor(age.Hours() / 24))
		return perf.Warning{Kind: perf.WarnStale, Text: fmt.Sprintf(
			"baseline %q is %d days old (made on %s); measure again and replace it with: go tool mage baseline:save %s", name, days, date, name)}, true
	case age < -clockSkew:
		return perf.Warning{Kind: perf.WarnStale, Text: fmt.Sprintf(
			"baseline %q says that it was made on %s, which is yet to come; set the clock of the machine that is wrong and replace it", name, date)}, true
	}
	return perf.Warning{}, false
}
