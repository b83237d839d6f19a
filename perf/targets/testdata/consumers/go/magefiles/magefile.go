//go:build mage

package main

import (
	"fmt"

	//mage:import perf
	_ "github.com/seanchatmangpt/clnrm-perf/perf/targets"
)

// Test is the repository's own.
func Test() { fmt.Println("own test") }

// Lint is the repository's own.
func Lint() { fmt.Println("own lint") }

// Build is the repository's own.
func Build() { fmt.Println("own build") }

// Profile is the repository's own.
func Profile() { fmt.Println("own profile") }
