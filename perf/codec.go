package perf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// SchemaPrefix and SchemaVersion together are the schema of the results that this
// package writes.
const (
	SchemaPrefix  = "clnrm-perf/result/v"
	SchemaVersion = 1
)

// Schema is the value of the key "schema" of a result written by this package.
var Schema = SchemaPrefix + strconv.Itoa(SchemaVersion)

// A SyntaxError is something wrong at a place in a file.
type SyntaxError struct {
	File string
	Line int // from 1; 0 where the whole file is meant
	Msg  string
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Msg
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
}

// numberArray matches an indented array of numbers, to be put on one line: a
// baseline of a thousand samples is read by people too, in diffs. It insists on the
// line break behind the bracket, which no JSON string can hold, so that a reason
// with "[ 1, 2 ]" in it stays as it was written.
var numberArray = regexp.MustCompile(`\[\n\s*(-?\d[^\]\["{}]*?)\n\s*\]`)

// Encode returns the result as indented JSON with a newline at its end. It fails
// if the result is not valid, so that what was written can always be read.
func (r *Result) Encode() ([]byte, error) {
	r = r.normalised()
	if p := r.check(); p != nil {
		return nil, fmt.Errorf("encoding result %s: %s: %s", r.ID, p.pathString(), p.msg)
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetIndent("", "  ")
	// A command such as "a && b > c" is for people; nothing puts this into a script tag.
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("encoding result %s: %w", r.ID, err)
	}
	return numberArray.ReplaceAllFunc(buf.Bytes(), func(m []byte) []byte {
		fields := strings.Fields(string(m[1 : len(m)-1]))
		return []byte("[" + strings.Join(fields, " ") + "]")
	}), nil
}

// normalised returns a shallow copy in which no list or map is null: a reader of the
// JSON may loop over each of them without a check.
func (r *Result) normalised() *Result {
	c := *r
	if c.Machine.Toolchain == nil {
		c.Machine.Toolchain = map[string]string{}
	}
	c.Workloads = slices.Clone(r.Workloads)
	for i := range c.Workloads {
		w := &c.Workloads[i]
		w.Command, w.Metrics, w.Warnings = nonNil(w.Command), nonNil(slices.Clone(w.Metrics)), nonNil(w.Warnings)
		w.Stages, w.Absent = nonEmpty(w.Stages), nonEmpty(w.Absent)
		for j := range w.Metrics {
			w.Metrics[j].Samples = nonNil(w.Metrics[j].Samples)
		}
	}
	c.Workloads, c.Objectives, c.Warnings = nonNil(c.Workloads), nonNil(c.Objectives), nonNil(c.Warnings)
	c.Scaling = nonEmpty(slices.Clone(r.Scaling))
	for i := range c.Scaling {
		s := &c.Scaling[i]
		s.Levels, s.Advice, s.Where = nonNil(s.Levels), nonNil(s.Advice), nonNil(slices.Clone(s.Where))
		for j := range s.Where {
			w := &s.Where[j]
			w.Parts, w.Programs = nonNil(w.Parts), nonNil(w.Programs)
		}
	}
	c.Comparisons = nonNil(slices.Clone(r.Comparisons))
	for i := range c.Comparisons {
		a := &c.Comparisons[i]
		a.Old.Samples, a.New.Samples = nonNil(a.Old.Samples), nonNil(a.New.Samples)
		if a.Control != nil {
			c := *a.Control
			c.Old, c.New = nonNil(c.Old), nonNil(c.New)
			a.Control = &c
		}
		if a.Profile != nil {
			p := *a.Profile
			p.Movers = nonNil(p.Movers)
			a.Profile = &p
		}
	}
	return &c
}

// nonEmpty is for a list that is left out where there is nothing in it.
func nonEmpty[S ~[]E, E any](s S) S {
	if len(s) == 0 {
		return nil
	}
	return s
}

func nonNil[S ~[]E, E any](s S) S {
	if s == nil {
		return S{}
	}
	return s
}

// DecodeResult reads a result from JSON. The name of the file is for errors, which
// are of type [*SyntaxError] and carry the line. Unknown keys are ignored, because
// keys may be added; a newer schema, a truncated file, a number that is none and a
// value that makes no sense are errors, and then no result is returned at all.
func DecodeResult(data []byte, file string) (*Result, error) {
	r := new(Result)
	if err := json.Unmarshal(data, r); err != nil || schemaFault(r.Schema) != "" {
		// Looking for the fault reads everything twice more, which a sound file is spared:
		// reading is most of what a comparison of two large results takes.
		if r, err = decodeInSteps(data, file); err != nil {
			return nil, err
		}
	}
	if p := checkKeys(data, reflect.TypeFor[Result]()); p != nil {
		return nil, &SyntaxError{file, p.line, p.pathString() + ": " + p.msg}
	}
	if p := r.check(); p != nil {
		return nil, &SyntaxError{file, lineOf(data, p.path), p.pathString() + ": " + p.msg}
	}
	return r, nil
}

// decodeInSteps reads a result in the order in which its faults are told.
func decodeInSteps(data []byte, file string) (*Result, error) {
	if err := checkSchema(data, file); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	r := new(Result)
	if err := dec.Decode(r); err != nil {
		return nil, jsonError(err, data, file)
	}
	end := dec.InputOffset()
	if rest := bytes.TrimLeft(data[end:], " \t\r\n"); len(rest) > 0 {
		first := int64(len(data) - len(rest))
		return nil, &SyntaxError{file, lineAt(data, first+1), "there is more behind the end of the result; keep one result in a file"}
	}
	return r, nil
}

// checkSchema looks at the schema alone, before anything else is believed: a newer
// one may have changed the type of any other key.
func checkSchema(data []byte, file string) error {
	if bytes.HasPrefix(data, []byte("\ufeff")) {
		return &SyntaxError{file, 1, "the file begins with a byte-order mark, which JSON has none of: save it as UTF-8 without one"}
	}
	var head struct {
		Schema *string `json:"schema"`
	}
	// A decoder, and not Unmarshal, because what stands behind the result is a fault
	// with a better name than the one that Unmarshal has for it.
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&head); err != nil {
		return jsonError(err, data, file)
	}
	line := lineOf(data, []any{"schema"})
	if head.Schema == nil {
		return &SyntaxError{file, 0, `this is not a result of clnrm-perf: it has no key "schema"`}
	}
	if msg := schemaFault(*head.Schema); msg != "" {
		return &SyntaxError{file, line, msg}
	}
	return nil
}

// schemaFault says why results of this schema cannot be read here; it is empty if they
// can be.
func schemaFault(schema string) string {
	digits, ok := strings.CutPrefix(schema, SchemaPrefix)
	version, err := strconv.Atoi(digits)
	switch {
	case !ok || err != nil || version < 1 || strconv.Itoa(version) != digits:
		return fmt.Sprintf("the schema %q is not one of clnrm-perf (%q)", schema, Schema)
	case version > SchemaVersion:
		return fmt.Sprintf("written by a newer clnrm-perf: schema %q, and this version reads up to %q; update the module", schema, Schema)
	}
	return ""
}

// lineAt is the line, from 1, on which the byte before offset stands.
func lineAt(data []byte, offset int64) int {
	offset = min(max(offset-1, 0), int64(len(data)))
	return 1 + bytes.Count(data[:offset], []byte("\n"))
}

// lineOf finds the line of the value at path, whose elements are keys and indices.
// Where a key is missing it is the line on which the object begins that lacks it, and
// 0 where that is the whole file.
func lineOf(data []byte, path []any) int {
	for ; len(path) > 0; path = path[:len(path)-1] {
		if line := lineAtPath(data, path); line > 0 {
			return line
		}
	}
	return 0
}

func lineAtPath(data []byte, path []any) int {
	dec := json.NewDecoder(bytes.NewReader(data))
	for _, step := range path {
		if !descend(dec, step) {
			return 0
		}
	}
	if _, err := dec.Token(); err != nil {
		return 0
	}
	return lineAt(data, dec.InputOffset())
}

// descend enters the container that comes next and stops before the value that
// step names.
func descend(dec *json.Decoder, step any) bool {
	open, err := dec.Token()
	if err != nil {
		return false
	}
	var skipped json.RawMessage
	for i := 0; dec.More(); i++ {
		var here any = i
		if open == json.Delim('{') {
			if here, err = dec.Token(); err != nil {
				return false
			}
		}
		if here == step {
			return true
		}
		if dec.Decode(&skipped) != nil {
			return false
		}
	}
	return false
}
