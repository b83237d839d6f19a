//go:build mage

// Performance gates that can be believed. "mage -h TARGET" shows a target's flags
// and an example.
package main

import (
	//mage:import
	"github.com/seanchatmangpt/clnrm-perf/perf/targets"
)

// Aliases are the names of clnrm's cargo-make tasks, for who has them in the fingers.
var Aliases = map[string]interface{}{
	"benchmark":           targets.Benchmarks,
	"benchmark-all":       targets.BenchmarkAll,
	"bench-hot-reload":    targets.BenchHotReload,
	"cleanroom-slo-check": targets.CleanroomSloCheck,
	"compare-refs":        targets.CompareRefs,
	"self-test":           targets.SelfTest,
	"cleanroom-profile":   targets.CleanroomProfile,
	"profile-heap":        targets.ProfileHeap,
	"profile-off-cpu":     targets.ProfileOffCpu,
	"profile-all":         targets.ProfileAll,
	"profile-diff":        targets.ProfileDiff,
	"baseline-save":       targets.Baseline.Save,
	"baseline-list":       targets.Baseline.List,
	"baseline-show":       targets.Baseline.Show,
	"baseline-compare":    targets.Baseline.Compare,
}
