package profileio

import (
	"bufio"
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"
)

// FoldOptions choose among the ways in which folded stacks are written. They are those
// of stackcollapse-perf.pl and inferno-collapse-perf, so that what reads their output
// reads this, too.
type FoldOptions struct {
	PID, TID    bool // the root frame is COMM-PID, or COMM-PID/TID
	Kernel, JIT bool // frames of the kernel end in _[k], of just-in-time compilers in _[j]
	Inlined     bool // frames that Java inlined end in _[i]
	Addresses   bool // a frame without a symbol is [MODULE <ADDRESS>]
}

// needs says what a reader must keep for these options.
func (o FoldOptions) needs() ScriptOptions {
	return ScriptOptions{Addresses: o.Addresses, Threads: o.PID || o.TID}
}

// WriteFolded writes the stacks, each as its frames from the root to the leaf with
// semicolons between them, a blank and what it cost, sorted by byte.
//
// It is the dialect of the peers: the root is the program's name with blanks replaced,
// a symbol loses its argument list, and quotes, which cannot stand in what is made of
// the lines, are dropped.
func (s *Script) WriteFolded(w io.Writer, o FoldOptions) error {
	lines := s.folded(o)
	out := foldedWriter{w: bufio.NewWriterSize(w, chunk)}
	for i, l := range lines {
		weight := l.weight
		if i+1 < len(lines) && lines[i+1].stack == l.stack {
			lines[i+1].weight += weight
			continue
		}
		if err := out.write(l.stack, weight); err != nil {
			return err
		}
	}
	return out.w.Flush()
}

// foldedLine is one line of the output, before those of one stack are added up.
type foldedLine struct {
	stack  string
	weight int64
}

func (s *Script) folded(o FoldOptions) []foldedLine {
	st := s.stacks
	names := make([]frameName, len(st.frames))
	namesJava := map[int32]frameName{}
	ends := 0
	for i := range st.frames {
		names[i] = nameFrame(&st.frames[i], o, false)
	}
	for i := range st.nodes {
		if st.nodes[i].count > 0 {
			ends++
		}
	}
	lines := make([]foldedLine, 0, ends)
	var path []int32
	var line []byte
	for at := range st.nodes {
		n := &st.nodes[at]
		if n.count == 0 {
			continue
		}
		var t int32
		t, path = st.path(int32(at), path[:0])
		line = appendRoot(line[:0], st.threads[t], o)
		java := strings.HasPrefix(st.threads[t].comm, "java")
		for _, f := range slices.Backward(path) {
			name := names[f]
			if java {
				var ok bool
				if name, ok = namesJava[f]; !ok {
					name = nameFrame(&st.frames[f], o, true)
					namesJava[f] = name
				}
			}
			if name.plain {
				line = append(line, ';')
			}
			line = append(line, name.text...)
		}
		lines = append(lines, foldedLine{string(line), n.weight})
	}
	slices.SortFunc(lines, func(a, b foldedLine) int { return strings.Compare(a.stack, b.stack) })
	return lines
}

// A frameName is what a frame contributes to a line.
type frameName struct {
	text  string
	plain bool // it is one name, before which a semicolon is to come
}

func nameFrame(f *frame, o FoldOptions, java bool) frameName {
	if !java && isPlain(f.symbol) && f.suffix(o) == "" {
		return frameName{f.symbol, true}
	}
	return frameName{foldedFrame(*f, o, java), false}
}

// isPlain reports whether foldedFrame would write a symbol as it is, as it does most.
func isPlain(symbol string) bool {
	if symbol == unknown || strings.Contains(symbol, "->") {
		return false
	}
	for i := range len(changed) {
		if strings.IndexByte(symbol, changed[i]) >= 0 {
			return false
		}
	}
	_, rust := cutRustHash(symbol)
	return !rust
}

// changed are the characters that foldedFrame does something about.
const changed = `(;'"`

func appendRoot(line []byte, t thread, o FoldOptions) []byte {
	line = append(line, strings.ReplaceAll(t.comm, " ", "_")...)
	if !o.PID && !o.TID {
		return line
	}
	line = append(append(line, '-'), cmp.Or(t.pid, "?")...)
	if o.TID {
		line = append(append(line, '/'), t.tid...)
	}
	return line
}

// foldedFrame is what a frame contributes to a line: for each function in it, a
// semicolon and the name.
func foldedFrame(f frame, o FoldOptions, java bool) string {
	if strings.HasPrefix(f.symbol, "(") {
		return "" // as the peers have it: no name of a function begins so
	}
	suffix := f.suffix(o)
	if f.symbol == unknown {
		return ";" + dropQuotes(f.unknownName(o)) + suffix
	}
	var b strings.Builder
	// Quotes that stand for themselves go; those that an escape of Rust stands for stay.
	for i, part := range splitInlined(fixRust(dropQuotes(f.symbol), false)) {
		b.WriteByte(';')
		b.WriteString(foldedName(part, java))
		if i > 0 && o.Inlined {
			b.WriteString("_[i]")
		} else {
			b.WriteString(suffix)
		}
	}
	return b.String()
}

// unknown is what perf prints for a symbol, or a module, that it does not know.
const unknown = "[unknown]"

// unknownName names a frame without a symbol after its module.
func (f frame) unknownName(o FoldOptions) string {
	module := f.module
	if module == unknown || module == "" {
		module = "unknown"
	} else if i := strings.LastIndexByte(module, '/'); i >= 0 {
		module = module[i+1:]
	}
	if o.Addresses {
		return "[" + module + " <" + strconv.FormatUint(f.addr, 16) + ">]"
	}
	return "[" + module + "]"
}

func (f frame) suffix(o FoldOptions) string {
	switch {
	case o.Kernel && f.kernel():
		return "_[k]"
	case o.JIT && f.jit():
		return "_[j]"
	}
	return ""
}

// kernel reports whether the frame is of the kernel or a module of it.
func (f frame) kernel() bool {
	m := f.module
	base := m[strings.LastIndexByte(m, '/')+1:]
	return strings.HasPrefix(m, "[") && m != unknown || strings.HasSuffix(m, ".ko") || strings.HasPrefix(base, "vmlinux")
}

// jit reports whether the frame is of code that was compiled while the program ran:
// its symbols come from a map that the compiler writes, or an image of what perf
// inject has made of its dump.
func (f frame) jit() bool {
	m := f.module
	return strings.HasPrefix(m, "/tmp/perf-") && strings.HasSuffix(m, ".map") || strings.Contains(m, "/jitted-") && strings.HasSuffix(m, ".so")
}

// splitInlined takes a->b apart, by which Java's symbols name what was inlined into
// what. It leaves operator-> of C++ alone.
func splitInlined(symbol string) []string {
	if !strings.Contains(symbol, "->") {
		return []string{symbol}
	}
	var parts []string
	begin := 0
	for i := 0; i+1 < len(symbol); i++ {
		if symbol[i] != '-' || symbol[i+1] != '>' || strings.HasSuffix(symbol[:i], "operator") {
			continue
		}
		parts = append(parts, symbol[begin:i])
		begin = i + 2
		i++
	}
	return append(parts, symbol[begin:])
}

// foldedName is the name of a function in the peers' dialect.
func foldedName(name string, java bool) string {
	name = withoutArguments(strings.ReplaceAll(name, ";", ":"))
	if java && strings.HasPrefix(name, "L") && strings.Contains(name, "/") {
		name = name[1:]
	}
	return name
}

// withoutArguments cuts the argument list off: what follows the first bracket that
// stands in no other one. (*T) of Go and an anonymous namespace of C++ are none.
func withoutArguments(name string) string {
	depth := 0
	for i := range len(name) {
		switch name[i] {
		case '(':
			if depth == 0 && i > 0 && name[i-1] != '.' && !strings.HasPrefix(name[i:], "(anonymous namespace)") {
				return name[:i]
			}
			depth++
		case '<', '{', '[':
			depth++
		case ')', '>', '}', ']':
			depth--
		}
	}
	return name
}

func dropQuotes(name string) string {
	if !strings.ContainsAny(name, `'"`) {
		return name
	}
	return strings.NewReplacer(`'`, "", `"`, "").Replace(name)
}

// rustEscapes are what a symbol of Rust's first mangling holds in place of characters
// that assemblers did not take (rustc's legacy symbol mangling).
var rustEscapes = strings.NewReplacer(
	"$SP$", "@", "$BP$", "*", "$RF$", "&", "$LT$", "<", "$GT$", ">", "$LP$", "(", "$RP$", ")", "$C$", ",",
	"$u7e$", "~", "$u20$", " ", "$u27$", "'", "$u3d$", "=", "$u5b$", "[", "$u5d$", "]", "$u7b$", "{", "$u7d$", "}",
	"$u3b$", ";", "$u2b$", "+", "$u22$", `"`, "..", "::", ".", "-",
)

// fixRust finishes what a demangler for C++ has half done to a symbol of Rust, which
// then ends in a hash. An underscore protects an escape at the begin of each part of a
// name; the peers take it away from the first alone.
func fixRust(symbol string, all bool) string {
	name, found := cutRustHash(symbol)
	if !found || !strings.ContainsAny(name, "$.") {
		return name
	}
	parts := strings.Split(name, "::")
	for i, p := range parts {
		if strings.HasPrefix(p, "_$") && (all || i == 0) {
			p = p[1:]
		}
		parts[i] = rustEscapes.Replace(p)
	}
	return strings.Join(parts, "::")
}

// cutRustHash cuts ::h and 16 hexadecimal digits off.
func cutRustHash(symbol string) (name string, found bool) {
	const n = len("::h") + 16
	if len(symbol) <= n {
		return symbol, false
	}
	name, hash := symbol[:len(symbol)-n], symbol[len(symbol)-n:]
	if !strings.HasPrefix(hash, "::h") || strings.Trim(hash[3:], "0123456789abcdef") != "" {
		return symbol, false
	}
	return name, true
}
