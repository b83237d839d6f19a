//go:build mage

package main

import (
	//mage:import
	"github.com/seanchatmangpt/clnrm-perf/perf/targets"
)

// Aliases are names with hyphens.
var Aliases = map[string]interface{}{
	"cleanroom-slo-check": targets.CleanroomSloCheck,
}
