package perf

import "strings"

// EditDistance is the number of bytes to insert, delete, replace, or swap with their
// neighbour (a byte at most once) that turns a into b, capitals ignored: the optimal
// string alignment distance, for two typed letters in the wrong order are one slip and
// not two. Errors about an unknown name use it to suggest the nearest that exists.
func EditDistance(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	var before, above []int // the rows for a[:i-2] and a[:i-1]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row = above, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
