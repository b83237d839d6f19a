package profileio

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"
)

// FoldProfile returns a pprof profile of any origin as folded stacks: one entry for each
// stack of functions, with the sum of the sample type that value is the index of. The
// root frame is the label comm, where samples have it. Characters that the form gives a
// meaning to are replaced.
func FoldProfile(p *profile.Profile, value int) map[string]int64 {
	return foldProfile(p, value, FoldOptions{}, rightName)
}

// WriteFoldedProfile writes what [FoldProfile] returns, sorted by byte, a line a stack.
// Of the options it knows the numbers of process and thread, and the mark of kernel
// frames; the others are those of perf script's text.
func WriteFoldedProfile(w io.Writer, p *profile.Profile, value int, o FoldOptions) error {
	if value < 0 || value >= len(p.SampleType) {
		return fmt.Errorf("writing folded stacks: the profile has no sample type number %d", value)
	}
	return writeFolded(w, foldProfile(p, value, o, rightName))
}

func writeFolded(w io.Writer, folded map[string]int64) error {
	stacks := make([]string, 0, len(folded))
	for s, weight := range folded {
		if weight != 0 { // in another sample type
			stacks = append(stacks, s)
		}
	}
	slices.Sort(stacks)
	out := foldedWriter{w: bufio.NewWriterSize(w, chunk)}
	for _, s := range stacks {
		if err := out.write(s, folded[s]); err != nil {
			return err
		}
	}
	return out.w.Flush()
}

// foldedWriter writes lines of folded stacks.
type foldedWriter struct {
	w    *bufio.Writer
	line []byte
}

func (f *foldedWriter) write(stack string, weight int64) error {
	f.line = append(append(f.line[:0], stack...), ' ')
	f.line = append(strconv.AppendInt(f.line, weight, 10), '\n')
	_, err := f.w.Write(f.line)
	return err
}

// rightName is what a person calls a function.
func rightName(f *profile.Function) string { return f.Name }

// peerName is what inferno calls a function of xctrace: some underscores of Rust's
// mangling stay, and the argument list does, too.
func peerName(f *profile.Function) string { return fixRust(f.SystemName, false) }

// foldProfile folds by the names that name gives.
func foldProfile(p *profile.Profile, value int, o FoldOptions, name func(*profile.Function) string) map[string]int64 {
	out := map[string]int64{}
	var b strings.Builder
	for _, s := range p.Sample {
		b.Reset()
		writeLabelledRoot(&b, s, o)
		for _, l := range slices.Backward(s.Location) {
			suffix := ""
			if o.Kernel && inKernel(l.Mapping) {
				suffix = "_[k]"
			}
			if len(l.Line) == 0 {
				writeFrame(&b, "0x"+strconv.FormatUint(l.Address, 16)+suffix)
			}
			for _, line := range slices.Backward(l.Line) {
				if line.Function != nil {
					writeFrame(&b, foldable(name(line.Function))+suffix)
				}
			}
		}
		out[b.String()] += s.Value[value]
	}
	return out
}

// writeLabelledRoot writes the root frame that the labels of a sample make.
func writeLabelledRoot(b *strings.Builder, s *profile.Sample, o FoldOptions) {
	comm, pid, tid := first(s, "comm"), first(s, "pid"), first(s, "tid")
	if (o.PID || o.TID) && (pid != "" || tid != "") {
		if pid == "" {
			pid = "?"
		}
		comm += "-" + pid
		if o.TID {
			comm += "/" + tid
		}
	}
	b.WriteString(foldable(comm))
}

// inKernel reports whether a mapping is of the kernel: perf writes the names of such in
// brackets, and modules end in .ko.
func inKernel(m *profile.Mapping) bool {
	return m != nil && (strings.HasPrefix(m.File, "[kernel.") || strings.HasPrefix(m.File, "[guest.kernel.") || strings.HasSuffix(m.File, ".ko") || strings.HasSuffix(m.File, "/vmlinux"))
}

func writeFrame(b *strings.Builder, name string) {
	if b.Len() > 0 {
		b.WriteByte(';')
	}
	b.WriteString(name)
}

var foldReplacer = strings.NewReplacer(";", ":", "\n", " ", "\r", " ")

func foldable(name string) string { return foldReplacer.Replace(name) }
