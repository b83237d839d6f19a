// Frames of Go: recursion, callbacks from the library, the runtime, and a goroutine.
package main

import (
	"fmt"
	"slices"
)

//go:noinline
func recurse(depth int, x uint64) uint64 {
	if depth == 0 {
		return x * 2654435761
	}
	var v [9]uint64
	for i := range v {
		v[i] = x + uint64(i)
	}
	return recurse(depth-1, v[depth%9]) ^ v[0]
}

//go:noinline
func compare(a, b uint64) int { return int(a%13) - int(b%13) }

//go:noinline
func allocate(n int) []uint64 { return make([]uint64, n) }

//go:noinline
func inGoroutine(n uint64, out chan<- uint64) uint64 {
	if n < 2 {
		return n
	}
	r := inGoroutine(n-1, nil) + inGoroutine(n-2, nil)
	if out != nil {
		out <- r
	}
	return r
}

//go:noinline
func all(n int) uint64 {
	r := recurse(5, uint64(n))
	v := make([]uint64, 60)
	for i := range v {
		v[i] = uint64(i*7919) % 61
	}
	slices.SortFunc(v, compare)
	v = append(v, allocate(n+100)...)
	out := make(chan uint64)
	go inGoroutine(6, out)
	return r + v[7] + <-out
}

func main() { fmt.Println(all(3)) }
