package flamegraph_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/seanchatmangpt/clnrm-perf/perf/calltree"
)

// stacks makes a profile of lines "root;...;leaf weight"; a frame may be written as
// name@/module or name@[module].
func stacks(lines []string) *profile.Profile {
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "cpu", Unit: "nanoseconds"}}}
	locations := map[string]*profile.Location{}
	mappings := map[string]*profile.Mapping{}
	for _, line := range lines {
		at := strings.LastIndexByte(line, ' ')
		var weight int64
		fmt.Sscan(line[at+1:], &weight)
		s := &profile.Sample{Value: []int64{weight}}
		for frame := range strings.SplitSeq(line[:at], ";") {
			l := locations[frame]
			if l == nil {
				l = newLocation(p, mappings, frame)
				locations[frame] = l
			}
			s.Location = append([]*profile.Location{l}, s.Location...)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

func newLocation(p *profile.Profile, mappings map[string]*profile.Mapping, frame string) *profile.Location {
	name, module := frame, ""
	if at := max(strings.LastIndex(frame, "@/"), strings.LastIndex(frame, "@[")); at >= 0 {
		name, module = frame[:at], frame[at+1:]
	}
	f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name, SystemName: name}
	p.Function = append(p.Function, f)
	l := &profile.Location{ID: uint64(len(p.Location) + 1), Line: []profile.Line{{Function: f}}}
	if module != "" {
		if mappings[module] == nil {
			mappings[module] = &profile.Mapping{ID: uint64(len(mappings) + 1), File: module}
			p.Mapping = append(p.Mapping, mappings[module])
		}
		l.Mapping = mappings[module]
	}
	p.Location = append(p.Location, l)
	return l
}

func treeOf(t testing.TB, lines ...string) *calltree.Tree {
	t.Helper()
	tree, err := calltree.FromProfile(stacks(lines), 0)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// program makes up the stacks of a program with that many frames or a few more: names as
// long and as often shared as those of Go, Rust and C++ programs, weights that are
// multiples of a period, some of them in the kernel.
func program(frames int, seed uint64) []string {
	random := rand.New(rand.NewPCG(seed, 1))
	packages := []string{"github.com/docker/docker/client.(*Client).", "encoding/json.(*decodeState).", "runtime.", "net/http.(*Transport).",
		"tokio::runtime::scheduler::multi_thread::worker::", "clnrm_core::cleanroom::CleanroomEnvironment::", "alloc::vec::Vec<T,A>::", "std::vector<int, std::allocator<int>>::"}
	names := make([]string, max(frames/3, 8))
	for i := range names {
		names[i] = packages[random.IntN(len(packages))] + fmt.Sprintf("%s%d", []string{"Read", "write", "poll", "next_task", "object"}[random.IntN(5)], i) + "@/usr/bin/program"
		if i%9 == 0 {
			names[i] = fmt.Sprintf("__x64_sys_call%d@[kernel.kallsyms]", i)
		}
	}
	var lines []string
	seen := map[string]bool{}
	for len(seen) < frames {
		stack := "main@/usr/bin/program"
		seen[stack] = true
		for range 4 + random.IntN(20) {
			// Few callees for a caller, of which the first are the likely ones.
			at := (len(stack)*31 + int(random.ExpFloat64()*2)) % len(names)
			stack += ";" + names[at]
			seen[stack] = true
		}
		lines = append(lines, fmt.Sprintf("%s %d", stack, 10000000*(1+int(random.ExpFloat64()*8))))
	}
	return lines
}
