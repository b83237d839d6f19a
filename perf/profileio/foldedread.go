package profileio

import (
	"bytes"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"
)

// isFolded reports whether what the head shows is folded stacks: lines end in a number
// behind a blank, and none is indented, as the frames of perf script are. A line of frames
// without a good number is a fault of such a file, as long as most have one.
func isFolded(head []byte) bool {
	met, bad := 0, 0
	for line := range bytes.Lines(head) {
		if line[len(line)-1] != '\n' && met > 0 {
			break // it may have been cut
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			return false
		}
		switch _, _, ok := cutWeight(line); {
		case ok:
			met++
		case bytes.IndexByte(line, ';') > 0:
			bad++
		default:
			return false
		}
	}
	return met > bad
}

// cutWeight takes the number at the end of a line off. Fractions are rounded.
func cutWeight(line []byte) (stack []byte, weight float64, ok bool) {
	line = bytes.TrimRight(line, " \t")
	at := bytes.LastIndexAny(line, " \t")
	if at < 0 {
		return nil, 0, false
	}
	weight, err := strconv.ParseFloat(string(line[at+1:]), 64)
	if err != nil || math.IsNaN(weight) || math.Abs(weight) >= 1<<62 {
		return nil, 0, false
	}
	return bytes.TrimRight(line[:at], " \t"), weight, true
}

// foldedReader reads folded stacks: the frames from the root to the leaf with semicolons
// between them, a blank and a number. The form has no other description than the
// programs that write it.
type foldedReader struct {
	report Report
	file   string
	line   int
	stacks *stacks
	frames []int32
	round  bool
}

func readFolded(in io.Reader, file string) (*profile.Profile, Report, error) {
	r := foldedReader{file: file, stacks: newStacks()}
	if err := eachLine(in, r.oneLine); err != nil {
		return nil, r.report, readError(file, r.line, err)
	}
	if r.round {
		r.report.Notes = append(r.report.Notes, "weights with fractions were rounded")
	}
	p, err := r.profile()
	return p, r.report, err
}

func (r *foldedReader) oneLine(line []byte) {
	r.line++
	if len(line) == 0 || line[0] == '#' {
		return
	}
	stack, weight, ok := cutWeight(line)
	if !ok {
		r.report.fault(r.file, r.line, "no number at its end")
		return
	}
	n := math.Round(weight)
	r.round = r.round || n != weight
	r.frames = r.frames[:0]
	for name := range bytes.SplitSeq(stack, []byte{';'}) {
		// heaptrack_print ends each stack in a semicolon: behind it is no frame.
		if name = bytes.TrimSpace(name); len(name) > 0 {
			symbol, module := cutMark(name)
			r.frames = append(r.frames, r.stacks.id(symbol, module, 0))
		}
	}
	for i, j := 0, len(r.frames)-1; i < j; i, j = i+1, j-1 {
		r.frames[i], r.frames[j] = r.frames[j], r.frames[i]
	}
	r.report.Samples++
	r.stacks.add(r.stacks.threadOf(thread{}), r.frames, int64(n))
}

// kernelModule is what perf calls the kernel.
const kernelModule = "[kernel.kallsyms]"

// cutMark takes the mark of a kernel frame off, which says what module it is of.
func cutMark(name []byte) (symbol, module []byte) {
	if s, ok := bytes.CutSuffix(name, []byte("_[k]")); ok && len(s) > 0 {
		return s, []byte(kernelModule)
	}
	return name, nil
}

func (r *foldedReader) profile() (*profile.Profile, error) {
	b := newBuilder(&profile.ValueType{Type: "samples", Unit: "count"})
	locations := make([]*profile.Location, len(r.stacks.frames))
	for i, f := range r.stacks.frames {
		name := strings.ToValidUTF8(f.symbol, "\ufffd")
		locations[i] = b.addLocation(0, f.module, []profile.Line{{Function: b.function(functionKey{name: name})}})
	}
	var path []int32
	for at := range r.stacks.nodes {
		n := &r.stacks.nodes[at]
		if n.count == 0 {
			continue
		}
		_, path = r.stacks.path(int32(at), path[:0])
		s := &profile.Sample{Value: []int64{n.weight}}
		for _, f := range path {
			s.Location = append(s.Location, locations[f])
		}
		b.profile.Sample = append(b.profile.Sample, s)
	}
	return b.finish(r.file)
}
