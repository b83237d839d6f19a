package perf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

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
	w := &keyWalk{jsonCursor{data: data}, map[reflect.Type]map[string]reflect.Type{}}
	return w.value(t, nil)
}

type keyWalk struct {
	jsonCursor
	fields map[reflect.Type]map[string]reflect.Type // of the structs met so far
}

// fault reports msg at the token that was read last.
func (w *keyWalk) fault(path []any, format string, args ...any) *keyFault {
	return &keyFault{problem{path, fmt.Sprintf(format, args...)}, lineAt(w.data, int64(w.at))}
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
	case reflect.Pointer:
		if t.Elem().Kind() == reflect.Struct {
			return w.optional(t.Elem(), path)
		}
	}
	return w.leaf(t, path)
}

// samples reads a list of numbers in one go, because a result can hold very many.
func (w *keyWalk) samples(path []any) *keyFault {
	raw := w.numbers()
	if raw[0] != '[' || bytes.IndexByte(raw, 'n') < 0 {
		return nil // null is the one word that a list of numbers can hold
	}
	var values []*float64
	if err := json.Unmarshal(raw, &values); err != nil {
		return w.fault(path, "%v", err)
	}
	i := slices.Index(values, nil)
	f := w.fault(append(path[:len(path):len(path)], i), nullMsg)
	f.line = lineOf(w.data, f.path)
	return f
}

// nullMsg is what is wrong with a null that the decoder would read as zero.
const nullMsg = "null stands where a value belongs"

// leaf reads a value whole. Pointers and maps may be null; what else is null would be
// read as zero.
func (w *keyWalk) leaf(t reflect.Type, path []any) *keyFault {
	if string(w.skip()) == "null" && t.Kind() != reflect.Pointer && t.Kind() != reflect.Map {
		return w.fault(path, nullMsg)
	}
	return nil
}

func (w *keyWalk) list(elem reflect.Type, path []any) *keyFault {
	if !w.open() {
		return nil // a list that is null is an empty list
	}
	for i := 0; w.more(); i++ {
		if f := w.value(elem, append(path[:len(path):len(path)], i)); f != nil {
			return f
		}
	}
	return nil
}

// optional reads an object that may be null.
func (w *keyWalk) optional(t reflect.Type, path []any) *keyFault {
	if !w.open() {
		return nil
	}
	return w.members(t, path)
}

func (w *keyWalk) object(t reflect.Type, path []any) *keyFault {
	if !w.open() {
		return w.fault(path, "null stands where an object belongs")
	}
	return w.members(t, path)
}

// members reads an object whose opening brace has been read.
func (w *keyWalk) members(t reflect.Type, path []any) *keyFault {
	fields, seen := w.fields[t], map[string]bool{}
	if fields == nil {
		fields = jsonFields(t)
		w.fields[t] = fields
	}
	for w.more() {
		key := w.key()
		if f := w.member(fields, seen, key, append(path[:len(path):len(path)], key)); f != nil {
			return f
		}
	}
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
	w.skip()
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
