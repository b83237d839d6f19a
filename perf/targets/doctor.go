package targets

import (
	"context"

	"github.com/seanchatmangpt/clnrm-perf/perf/measure"
	"github.com/seanchatmangpt/clnrm-perf/perf/report"
)

// examined is the target doctor.
func examined(ctx context.Context) error {
	machine, _ := measure.Machine(ctx)
	con := stdConsole()
	return bare(report.Doctor(con.out, machine, measure.Tools(ctx), measure.Conditions(ctx), con.style))
}
