package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// intervalNotes collects what the intervals of a table are, since they are not all of
// one kind: an objective is decided on one side only, while the interval of any other
// metric is there to be read.
type intervalNotes struct {
	levels []float64 // confidences of objectives
	memory bool      // an objective on peak memory, which is bounded without statistics
	others bool
	stated bool // an interval of a file of another tool
}

func (n *intervalNotes) objective(o perf.ObjectiveResult) {
	switch {
	case o.Low == nil && o.High == nil:
	case o.Metric == perf.PeakMemory.Name:
		n.memory = true
	case !slices.Contains(n.levels, o.Confidence):
		n.levels = append(n.levels, o.Confidence)
	}
}

func (n *intervalNotes) metric(s *perf.Summary) {
	if s.Low == nil || s.High == nil {
		return
	}
	n.others, n.stated = n.others || s.Confidence > 0, n.stated || s.Confidence == 0
}

// print explains below the table the kinds of interval that are in it.
func (n *intervalNotes) print(out *writer, st Style) {
	var kinds []string
	if len(n.levels) > 0 {
		kinds = append(kinds, fmt.Sprintf("of objectives, two one-sided bounds, each of %s confidence by itself", levels(n.levels)))
	}
	if n.memory {
		kinds = append(kinds, "of the objective on memory, from the least reading to the upper bound")
	}
	if n.others {
		kinds = append(kinds, "of other rows, the two-sided 95 % interval of the median")
	}
	if n.stated {
		kinds = append(kinds, "of some rows, what the file states, whatever it means by that")
	}
	if len(kinds) == 0 {
		return
	}
	const lead = "interval: "
	out.printf("\n%s\n", st.faint(lead+strings.Join(kinds, ";\n"+strings.Repeat(" ", len(lead)))))
}

// levels lists confidences in percent.
func levels(list []float64) string {
	list = slices.Sorted(slices.Values(list))
	words := make([]string, len(list))
	for i, l := range list {
		words[i] = fmt.Sprintf("%.4g %%", 100*l)
	}
	return strings.Join(words, " or ")
}
