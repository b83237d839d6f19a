package benchio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// A node is a JSON value that knows where it stands. encoding/json decodes into types,
// and the first value of the wrong type ends it, without a place; here a bad element
// must not cost the others.
type node struct {
	kind   byte   // '{', '[', '"', '0', 't' for true and false, 'n' for null
	text   string // of a string, a number, or true or false
	end    int64  // where it ends in the text, or begins where it has children
	parent *node
	key    string // in the parent, where that is an object
	index  int    // in the parent
	kids   []*node
}

// A document is a JSON file that is being read.
type document struct {
	*Import
	file    string
	data    []byte
	ends    []int // where the lines end; made for the first fault
	options Options
	unknown map[string]bool // keys that were noted as unknown
}

// maxDepth is how deeply the formats, and whatever may hide in their unknown fields,
// nest.
const maxDepth = 100

// readJSON recognises the format of a JSON text and reads it.
func readJSON(data []byte, file string, o Options) *Import {
	d := &document{Import: new(Import), file: file, options: o, unknown: map[string]bool{}}
	d.data = quoteNonNumbers(stripPrefix(data))
	root := d.parse()
	switch {
	case root == nil:
	case root.kind == '[':
		d.Format = Custom
		d.custom(root)
	case root.get("schema") != nil:
		d.complain(root, "this is a result of clnrm-perf, which needs no import: it lies in .perf/runs, or is saved as a baseline")
	case root.holds("entries", '['):
		d.Format = History
		d.history(root)
	case root.get("results") != nil && root.get("results").kind != '{':
		d.Format = Hyperfine
		d.hyperfine(root)
	default:
		d.Format = Bencher
		d.bencher(root)
	}
	if len(d.Runs) == 0 && len(d.Faults) == 0 {
		d.fault(file, 0, "there is no benchmark result in it")
	}
	return d.Import
}

// dataPrefix is what makes a script of github-action-benchmark's history.
const dataPrefix = "window.BENCHMARK_DATA"

// stripPrefix turns the script into JSON, character for character, so that positions
// stay.
func stripPrefix(data []byte) []byte {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	rest, ok := bytes.CutPrefix(trimmed, []byte(dataPrefix))
	at := bytes.IndexByte(rest, '=')
	if !ok || at < 0 {
		return data
	}
	out := bytes.Clone(data)
	for i := range len(data) - len(rest) + at + 1 {
		if out[i] != '\n' {
			out[i] = ' '
		}
	}
	if end := bytes.TrimRight(out, " \t\r\n"); bytes.HasSuffix(end, []byte(";")) {
		out[len(end)-1] = ' '
	}
	return out
}

// nonNumber matches what other languages write for a number that is none, and strings,
// in which it is left alone.
var nonNumber = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|-?\b(?:NaN|nan|Infinity|inf|Inf)\b`)

// quoteNonNumbers puts NaN and its like into quotes: JSON has none of them, Python's
// json writes them, and the rest of the file is worth reading.
func quoteNonNumbers(data []byte) []byte {
	if !bytes.Contains(data, []byte("NaN")) && !bytes.Contains(data, []byte("nan")) && !bytes.Contains(data, []byte("nf")) {
		return data
	}
	return nonNumber.ReplaceAllFunc(data, func(m []byte) []byte {
		if m[0] == '"' {
			return m
		}
		return slices.Concat([]byte(`"`), m, []byte(`"`))
	})
}

// parse builds the tree. Where the text is no JSON, what stands before that is kept.
func (d *document) parse() *node {
	dec := json.NewDecoder(bytes.NewReader(d.data))
	dec.UseNumber()
	p := &parser{document: d, dec: dec}
	root := p.value(nil, 0)
	if p.failed {
		return root
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		d.fault(d.file, d.line(dec.InputOffset()), "there is more behind the end of the JSON document; it is left out")
	}
	if root.kind != '{' && root.kind != '[' {
		d.fault(d.file, 1, "this is a JSON %s, and no format that is known here is", root.describe())
		return nil
	}
	return root
}

type parser struct {
	*document
	dec    *json.Decoder
	failed bool
}

// fail notes the first fault of the text itself.
func (p *parser) fail(format string, args ...any) {
	if !p.failed {
		p.fault(p.file, p.line(p.dec.InputOffset()), format, args...)
	}
	p.failed = true
}

// value reads the value that comes next; nil where there is none.
func (p *parser) value(parent *node, depth int) *node {
	token, err := p.dec.Token()
	if err != nil {
		p.broken(err)
		return nil
	}
	n := &node{parent: parent, end: p.dec.InputOffset()}
	switch v := token.(type) {
	case json.Delim:
		n.kind = byte(v)
		if depth >= maxDepth {
			p.fail("nested more than %d deep", maxDepth)
			return nil
		}
		p.children(n, depth)
	case string:
		n.kind, n.text = '"', v
	case json.Number:
		n.kind, n.text = '0', v.String()
	case bool:
		n.kind, n.text = 't', strconv.FormatBool(v)
	default:
		n.kind = 'n'
	}
	return n
}

// children reads the elements of an object or a list.
func (p *parser) children(n *node, depth int) {
	for p.dec.More() && !p.failed {
		var key string
		if n.kind == '{' {
			token, err := p.dec.Token()
			if err != nil {
				p.broken(err)
				return
			}
			key, _ = token.(string)
		}
		kid := p.value(n, depth+1)
		if kid == nil {
			return
		}
		kid.key, kid.index = key, len(n.kids)
		n.kids = append(n.kids, kid)
	}
	if !p.failed {
		if _, err := p.dec.Token(); err != nil {
			p.broken(err)
		}
	}
}

// broken words an error of the JSON text.
func (p *parser) broken(err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		if len(bytes.TrimSpace(p.data)) == 0 {
			p.fail("the file is empty")
			return
		}
		p.fail("the file ends in the middle (truncated?); what stands before is read")
		return
	}
	p.fail("not JSON: %v; what stands before is read", err)
}

// line is the line of an offset.
func (d *document) line(offset int64) int {
	if d.ends == nil {
		d.ends = []int{}
		for i, c := range d.data {
			if c == '\n' {
				d.ends = append(d.ends, i)
			}
		}
	}
	at, _ := slices.BinarySearch(d.ends, max(int(offset)-1, 0))
	return at + 1
}

// complain notes a fault of a node.
func (d *document) complain(n *node, format string, args ...any) {
	d.note(&d.Faults, d.faultOf(n, format, args...))
}

// faultOf words a fault of a node, which its JSON path names.
func (d *document) faultOf(n *node, format string, args ...any) *perf.SyntaxError {
	msg := fmt.Sprintf(format, args...)
	if path := n.path(); path != "" {
		msg = path + ": " + msg
	}
	return &perf.SyntaxError{File: d.file, Line: d.line(n.end), Msg: msg}
}

// path is the way to the node from the root, as jq takes it.
func (n *node) path() string {
	switch {
	case n.parent == nil:
		return ""
	case n.parent.kind == '[':
		return n.parent.path() + "[" + strconv.Itoa(n.index) + "]"
	case plainKey.MatchString(n.key):
		if above := n.parent.path(); above != "" {
			return above + "." + n.key
		}
		return n.key
	}
	return n.parent.path() + "[" + strconv.Quote(n.key) + "]"
}

var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// get returns the value of a key; the last one, where the key stands there twice.
func (n *node) get(key string) *node {
	for _, kid := range slices.Backward(n.kids) {
		if n.kind == '{' && kid.key == key {
			return kid
		}
	}
	return nil
}

// holds reports whether there is an object under the key whose first value, if it has
// one, is of a kind. A benchmark of Bencher's may have any name, but is another shape.
func (n *node) holds(key string, kind byte) bool {
	v := n.get(key)
	return v != nil && (v.kind != '{' || len(v.kids) == 0 || v.kids[0].kind == kind)
}

// describe names the kind of a value.
func (n *node) describe() string {
	switch n.kind {
	case '{':
		return "object"
	case '[':
		return "list"
	case '"':
		return "string"
	case '0':
		return "number"
	case 'n':
		return "null"
	}
	return "true or false"
}

// is reports whether n is of a kind, and complains where it is not. What is missing is
// a fault of the object that lacks it.
func (d *document) is(n *node, kind byte, word string) bool {
	if n.kind != kind {
		d.complain(n, "found a %s where %s belongs", n.describe(), word)
	}
	return n.kind == kind
}

// number reads a finite number. Strings that hold one are taken where quoted is set, as
// github-action-benchmark takes them.
func (d *document) number(n *node, quoted bool) (float64, bool) {
	if n.kind != '0' && (n.kind != '"' || !quoted && !notFinite(n.text)) {
		d.complain(n, "found a %s where a number belongs", n.describe())
		return 0, false
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(n.text), 64)
	switch {
	case errors.Is(err, strconv.ErrRange), math.IsNaN(v), math.IsInf(v, 0):
		d.complain(n, "%s is not a finite number", n.text)
	case err != nil:
		d.complain(n, "%q is not a number", n.text)
	default:
		return v, true
	}
	return 0, false
}

func notFinite(s string) bool { return nonNumber.FindString(s) == s && s != "" }

// field reads the string under a key that must be there.
func (d *document) field(n *node, key string) (string, bool) {
	f := n.get(key)
	if f == nil {
		d.missing(n, key)
		return "", false
	}
	if !d.is(f, '"', "a string") {
		return "", false
	}
	if f.text == "" {
		d.complain(f, "is empty")
	}
	return f.text, f.text != ""
}

// missing complains of a key that is not there, with the one that may have been meant.
func (d *document) missing(n *node, key string) {
	for _, kid := range n.kids {
		if perf.EditDistance(kid.key, key) <= 2 {
			d.complain(n, "the key %q is missing; is %q meant to be it?", key, kid.key)
			return
		}
	}
	d.complain(n, "the key %q is missing", key)
}

// strangers notes once each key of an object that nobody here knows: what it
// holds is left out, and nobody here can tell whether it mattered. known are the keys
// that the tool's own writer has, those of versions to come among them.
func (d *document) strangers(n *node, known ...string) {
	for _, kid := range n.kids {
		if slices.Contains(known, kid.key) || d.unknown[kid.key] {
			continue
		}
		d.unknown[kid.key] = true
		d.note(&d.UnknownKeys, d.faultOf(kid, "the key is unknown here, and what stands under it is left out"))
	}
}

// keep adds what was collected as a run, if it is anything.
func (d *document) keep(r Run) {
	if len(r.Workloads) > 0 {
		d.Runs = append(d.Runs, r)
	}
}
