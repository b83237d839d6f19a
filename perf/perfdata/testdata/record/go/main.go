// Goroutines, closures, methods, growing stacks, garbage.
package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
)

type worker struct{ factor uint64 }

//go:noinline
func (w *worker) multiply(n uint64) uint64 {
	s := uint64(1)
	for i := range n {
		s = s*w.factor + i
	}
	return s
}

//go:noinline
func deep(depth int, work func() uint64) uint64 {
	var room [64]uint64
	if depth == 0 {
		return work()
	}
	room[depth%64] = deep(depth-1, work)
	return room[depth%64] + 1
}

func words(n int) string {
	counts := map[string]int{}
	for i := range n {
		counts["word"+strconv.Itoa(i%97)]++
	}
	var all []string
	for w, c := range counts {
		all = append(all, fmt.Sprint(w, c))
	}
	sort.Strings(all)
	return strings.Join(all, " ")
}

func main() {
	rounds := 100
	if len(os.Args) > 1 {
		rounds, _ = strconv.Atoi(os.Args[1])
	}
	w := &worker{31}
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for i := range rounds {
				deep(i%50, func() uint64 { return w.multiply(20_000) })
				words(300)
			}
		})
	}
	all.Wait()
}
