package perf

import "strings"

// EditDistance is the Levenshtein distance between a and b, ignoring case: how many
// insertions, deletions and replacements of a character lead from one to the other.
// Errors about an unknown name use it to suggest the nearest one that exists.
func EditDistance(a, b string) int {
	x, y := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i, r := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j, s := range y {
			cost := 1
			if r == s {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(y)]
}
