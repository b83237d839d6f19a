// Package sum adds, and gets it wrong.
package sum

// Of should be the sum of a and b.
func Of(a, b int) int { return a - b }
