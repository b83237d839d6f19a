package perf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"
)

// jsonError puts file and line on an error of encoding/json, and says it in the words
// of somebody who edits the file.
func jsonError(err error, data []byte, file string) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return &SyntaxError{file, 0, "the file is empty"}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &SyntaxError{file, lineAt(data, int64(len(data))), "the file ends in the middle (truncated?)"}
	}
	if syn, ok := errors.AsType[*json.SyntaxError](err); ok {
		return &SyntaxError{file, lineAt(data, syn.Offset), syntaxWords(syn, data)}
	}
	if typ, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return &SyntaxError{file, lineAt(data, typ.Offset), typeWords(typ)}
	}
	// The only key whose type has an UnmarshalJSON of its own, which knows no offset.
	if _, ok := errors.AsType[*time.ParseError](err); ok || strings.HasPrefix(err.Error(), "Time.UnmarshalJSON") {
		return &SyntaxError{file, lineOf(data, []any{"created"}), "created: not a time of the form 2006-01-02T15:04:05Z (RFC 3339): " + err.Error()}
	}
	return &SyntaxError{file, 0, err.Error()}
}

// syntaxWords explains a syntax error. The names that other languages write for
// numbers that are none get a sentence, because the parser only sees a stray letter.
func syntaxWords(err *json.SyntaxError, data []byte) string {
	rest := data[min(max(err.Offset-1, 0), int64(len(data))):]
	for _, word := range []string{"NaN", "nan", "Infinity", "Inf", "inf"} {
		if bytes.HasPrefix(rest, []byte(word)) {
			return fmt.Sprintf("%s is not a finite number: a value that could not be measured is left out, never written", word)
		}
	}
	return err.Error()
}

// typeWords explains a value of the wrong type.
func typeWords(err *json.UnmarshalTypeError) string {
	what := err.Field
	if what == "" {
		what = "the result"
	}
	found := "a JSON " + err.Value
	// encoding/json appends the literal to "number" where the type would have been
	// right and the value does not fit.
	if literal, ok := strings.CutPrefix(err.Value, "number "); ok {
		found = literal
	}
	return fmt.Sprintf("%s: found %s where %s belongs", what, found, kindWords(err.Type.Kind()))
}

// kindWords names a Go kind as someone who edits JSON would.
func kindWords(kind reflect.Kind) string {
	switch kind {
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Float64:
		return "a number that fits into 64 bits"
	case reflect.Uint64:
		return "a whole number from 0"
	}
	return "a whole number"
}

// A keyFault is something wrong with how the JSON is written which the decoder would
// read over.
type keyFault struct {
	problem
	line int
}

// checkKeys finds what encoding/json accepts in silence and what would falsify a
// result: a null where a number belongs becomes 0, of a key that stands there twice
// (the usual trace of a bad merge) the later one wins or both are mixed, and a key in
// other letters counts as the key. The data must have been decoded into t before, so
// it is well-formed and of the right types.
func checkKeys(data []byte, t reflect.Type) *keyFault {
	w := &keyWalk{data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	return w.value(t, nil)
}

type keyWalk struct {
	data []byte
	dec  *json.Decoder
}

// fault reports msg at the token that was read last.
func (w *keyWalk) fault(path []any, format string, args ...any) *keyFault {
	return &keyFault{problem{path, fmt.Sprintf(format, args...)}, lineAt(w.data, w.dec.InputOffset())}
}

// value reads the value that comes next and belongs into t.
func (w *keyWalk) value(t reflect.Type, path []any) *keyFault {
	if t == reflect.TypeFor[time.Time]() || t.Kind() == reflect.Map {
		return w.leaf(t, path)
	}
	switch t.Kind() {
	case reflect.Struct:
		return w.object(t, path)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Float64 {
			return w.samples(path)
		}
		return w.list(t.Elem(), path)
	}
	return w.leaf(t, path)
}

// samples reads a list of numbers in one go, because a result can hold very many.
func (w *keyWalk) samples(path []any) *keyFault {
	var values []*float64
	if err := w.dec.Decode(&values); err != nil {
		return w.fault(path, "%v", err)
	}
	i := slices.Index(values, nil)
	if i < 0 {
		return nil
	}
	f := w.fault(append(path[:len(path):len(path)], i), nullMsg)
	f.line = lineOf(w.data, f.path)
	return f
}

// nullMsg is what is wrong with a null that the decoder would read as zero.
const nullMsg = "null stands where a value belongs"

// leaf reads a value whole. Pointers and maps may be null; what else is null would be
// read as zero.
func (w *keyWalk) leaf(t reflect.Type, path []any) *keyFault {
	var raw json.RawMessage
	if err := w.dec.Decode(&raw); err != nil {
		return w.fault(path, "%v", err)
	}
	if string(raw) == "null" && t.Kind() != reflect.Pointer && t.Kind() != reflect.Map {
		return w.fault(path, nullMsg)
	}
	return nil
}

func (w *keyWalk) list(elem reflect.Type, path []any) *keyFault {
	if open, err := w.dec.Token(); err != nil || open == nil {
		return nil // a list that is null is an empty list
	}
	for i := 0; w.dec.More(); i++ {
		if f := w.value(elem, append(path[:len(path):len(path)], i)); f != nil {
			return f
		}
	}
	_, _ = w.dec.Token() // the closing bracket; the data is known to be well-formed
	return nil
}

func (w *keyWalk) object(t reflect.Type, path []any) *keyFault {
	if open, err := w.dec.Token(); err != nil || open == nil {
		return w.fault(path, "null stands where an object belongs")
	}
	fields, seen := jsonFields(t), map[string]bool{}
	for w.dec.More() {
		token, err := w.dec.Token()
		if err != nil {
			return w.fault(path, "%v", err)
		}
		key, _ := token.(string)
		if f := w.member(fields, seen, key, append(path[:len(path):len(path)], key)); f != nil {
			return f
		}
	}
	_, _ = w.dec.Token()
	return nil
}

// member reads the value of key, and skips it where no field has that name.
func (w *keyWalk) member(fields map[string]reflect.Type, seen map[string]bool, key string, path []any) *keyFault {
	t, known := fields[key]
	if seen[key] && known {
		return w.fault(path, "the key stands there twice; keep one of the two")
	}
	seen[key] = true
	if known {
		return w.value(t, path)
	}
	for name := range fields {
		if strings.EqualFold(name, key) {
			return w.fault(path, "the key is written %q", name)
		}
	}
	var skipped json.RawMessage
	if err := w.dec.Decode(&skipped); err != nil {
		return w.fault(path, "%v", err)
	}
	return nil
}

// jsonFields maps the JSON keys of a struct to the types of their values; the keys of
// embedded structs are its own.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for f := range t.Fields() {
		if f.Anonymous {
			for name, ft := range jsonFields(f.Type) {
				fields[name] = ft
			}
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields[name] = f.Type
	}
	return fields
}
