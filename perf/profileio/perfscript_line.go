package profileio

import (
	"bytes"
	"strconv"
)

// A header is the line of a sample: who, what, and how much.
type header struct {
	comm, pid, tid []byte // pid is empty where the line has one number only
	event          []byte // without modifiers
	time           int64  // in nanoseconds, of a clock of the kernel; 0 where there is none
	period         int64  // 1 where the line has none
	rest           []byte // what follows the event; nil: nothing
}

// parseHeader reads
//
//	COMM PID/TID [CPU] TIME: PERIOD EVENT: REST
//
// of which only COMM, a number and the event must be there. COMM may hold anything,
// numbers too, so it ends before the first number that the rest of such a line
// follows. Where strict, the time is needed as well: then a comment, or a frame, is
// never taken for a sample.
func parseHeader(line []byte, strict bool) (header, bool) {
	if h, ok := findHeader(line, true); ok || strict {
		return h, ok
	}
	return findHeader(line, false)
}

func findHeader(line []byte, timed bool) (header, bool) {
	_, end := nextToken(line, 0) // a program has a name
	for start, end := nextToken(line, end); start < len(line); start, end = nextToken(line, end) {
		pid, tid, ok := threadNumber(line[start:end])
		if !ok {
			continue
		}
		h := header{comm: bytes.TrimSpace(line[:start]), pid: pid, tid: tid, period: 1}
		if h.after(line, end, timed) {
			return h, true
		}
	}
	return header{}, false
}

// after reads what follows the thread, and reports whether it can be that. Where must,
// there has to be a time.
func (h *header) after(line []byte, end int, must bool) bool {
	start, stop := nextToken(line, end)
	cpu := isCPU(line[start:stop])
	if cpu {
		start, stop = nextToken(line, stop)
	}
	timed := isTime(line[start:stop])
	if timed {
		h.time = nanoseconds(line[start:stop])
		start, stop = nextToken(line, stop)
	}
	if must && !timed {
		return false
	}
	if start < len(line) && allDigits(line[start:stop]) {
		period, err := strconv.ParseInt(string(line[start:stop]), 10, 64)
		if err != nil {
			return false
		}
		h.period = period
		start, stop = nextToken(line, stop)
	}
	word := line[start:stop]
	switch n := len(word); {
	case n == 0:
		return true // the fields that were asked for have no event
	case n > 1 && word[n-1] == ':' && !isTime(word):
		h.event = plainEvent(word[:n-1])
	default:
		return false
	}
	if rest := bytes.TrimSpace(line[stop:]); len(rest) > 0 {
		h.rest = rest
	}
	return true
}

// nextToken finds the next word from an index on; both ends are len(line) where there
// is none.
func nextToken(line []byte, from int) (start, end int) {
	for start = from; start < len(line) && (line[start] == ' ' || line[start] == '\t'); start++ {
	}
	for end = start; end < len(line) && line[end] != ' ' && line[end] != '\t'; end++ {
	}
	return min(start, len(line)), min(end, len(line))
}

// threadNumber reads TID or PID/TID.
func threadNumber(word []byte) (pid, tid []byte, ok bool) {
	if slash := bytes.IndexByte(word, '/'); slash >= 0 {
		pid, tid = word[:slash], word[slash+1:]
		return pid, tid, isNumber(pid) && isNumber(tid)
	}
	return nil, word, isNumber(word)
}

// isNumber takes a minus too: perf writes -1 for a thread that it does not know.
func isNumber(word []byte) bool {
	return allDigits(bytes.TrimPrefix(word, []byte("-")))
}

func allDigits(word []byte) bool {
	for _, c := range word {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(word) > 0
}

// isCPU takes [012].
func isCPU(word []byte) bool {
	n := len(word)
	return n > 2 && word[0] == '[' && word[n-1] == ']' && allDigits(word[1:n-1])
}

// isTime takes SECONDS.FRACTION: with the colon.
func isTime(word []byte) bool {
	n := len(word)
	if n < 4 || word[n-1] != ':' {
		return false
	}
	seconds, fraction, ok := bytes.Cut(word[:n-1], []byte{'.'})
	return ok && allDigits(seconds) && allDigits(fraction)
}

// nanoseconds is the value of what isTime takes. A part of the fraction that is less than
// a nanosecond, which perf does not write, is left out, and so are times out of range.
func nanoseconds(word []byte) int64 {
	seconds, fraction, _ := bytes.Cut(word[:len(word)-1], []byte{'.'})
	s, err := strconv.ParseInt(string(seconds), 10, 64)
	if err != nil || s > 1<<33 {
		return 0
	}
	ns := int64(0)
	for i := range 9 {
		ns *= 10
		if i < len(fraction) {
			ns += int64(fraction[i] - '0')
		}
	}
	return s*1e9 + ns
}

// plainEvent takes the modifiers (perf-list(1)) from an event: the u of cycles:u, but
// not the name of a tracepoint.
func plainEvent(event []byte) []byte {
	i := bytes.LastIndexByte(event, ':')
	if i < 0 || i == 0 {
		return event
	}
	for _, c := range event[i+1:] {
		if bytes.IndexByte([]byte("ukhHGpPSDWebI"), c) < 0 {
			return event
		}
	}
	return event[:i]
}

// lostIn is the number of a line that says how many samples were lost.
func lostIn(line []byte) int64 {
	_, after, _ := bytes.Cut(line, []byte("lost "))
	_, end := nextToken(after, 0)
	n, err := strconv.ParseInt(string(bytes.TrimSpace(after[:end])), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// A frameText is a frame as it stands in the input.
type frameText struct {
	addr           uint64
	symbol, module []byte
}

// parseFrame reads
//
//	ADDRESS SYMBOL+0xOFFSET (MODULE)
//
// of which SYMBOL and MODULE may hold blanks and brackets. The module is what stands in
// the last brackets that belong together: perf writes it last.
func (m *moduleMemo) parseFrame(text []byte) (f frameText, ok bool) {
	end := bytes.IndexByte(text, ' ')
	if end <= 0 || end > 16 {
		return f, false
	}
	for _, c := range text[:end] {
		digit := hexDigit[c]
		if digit == notHex {
			return f, false
		}
		f.addr = f.addr<<4 | uint64(digit)
	}
	rest := trimBlanks(text[end:])
	open := m.open(rest)
	if open < 0 {
		return f, false
	}
	f.module = rest[open+1 : len(rest)-1]
	f.symbol = withoutOffset(trimBlanks(rest[:open]))
	if len(f.symbol) == 0 {
		f.symbol = unknownText
	}
	return f, true
}

var unknownText = []byte(unknown)

// notHex marks in hexDigit what is no digit.
const notHex = 0xff

// hexDigit holds the value of each hexadecimal digit.
var hexDigit = func() (t [256]byte) {
	for i := range t {
		t[i] = notHex
	}
	for i, c := range []byte("0123456789abcdef") {
		t[c] = byte(i)
	}
	return t
}()

// withoutIndent takes the blanks off that a line begins with.
func withoutIndent(line []byte) []byte {
	for len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
		line = line[1:]
	}
	return line
}

// trimBlanks is bytes.TrimSpace for what stands in these lines; it is much quicker.
func trimBlanks(text []byte) []byte {
	text = withoutIndent(text)
	for len(text) > 0 && (text[len(text)-1] == ' ' || text[len(text)-1] == '\t') {
		text = text[:len(text)-1]
	}
	return text
}

// lastGroup finds the bracket that the last one of the text closes; -1 if the text does
// not end in one. It must stand behind a blank or at the start, as a module's does.
func lastGroup(text []byte) int {
	n := len(text)
	if n == 0 || text[n-1] != ')' {
		return -1
	}
	depth := 0
	for i := n - 1; i >= 0; i-- {
		switch text[i] {
		case ')':
			depth++
			continue
		case '(':
			depth--
		default:
			continue
		}
		if depth == 0 {
			if i == 0 || text[i-1] == ' ' {
				return i
			}
			break
		}
	}
	// Brackets in the path that do not belong together: what follows the last " (".
	if i := bytes.LastIndex(text, []byte(" (")); i >= 0 {
		return i + 1
	}
	return -1
}

// withoutOffset cuts the +0x1f off a symbol.
func withoutOffset(symbol []byte) []byte {
	i := len(symbol)
	for i > 0 && hexDigit[symbol[i-1]] != notHex {
		i--
	}
	if i > 3 && i < len(symbol) && symbol[i-1] == 'x' && symbol[i-2] == '0' && symbol[i-3] == '+' {
		return symbol[:i-3]
	}
	return symbol
}
