package baseline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// The schema, the committed baselines and the goldens of perf, seen from here.
const (
	schemaFile = "../../baselines/result.schema.json"
	committed  = "../../baselines/*/*/*.json"
	goldens    = "../testdata/*.json"
)

// schema is a JSON Schema as its JSON says it.
type schema = map[string]any

func parseSchema(tb testing.TB) schema {
	tb.Helper()
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		tb.Fatal(err)
	}
	var s schema
	if err := json.Unmarshal(data, &s); err != nil {
		tb.Fatal(err)
	}
	return s
}

func compileSchema(tb testing.TB) *jsonschema.Schema {
	tb.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiled, err := compiler.Compile(schemaFile)
	if err != nil {
		tb.Fatal(err)
	}
	return compiled
}

// validate holds JSON against the schema, with its numbers as they are written.
func validate(compiled *jsonschema.Schema, data []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return compiled.Validate(value)
}

func TestSchemaTakesEveryResult(t *testing.T) {
	compiled := compileSchema(t)
	files, err := filepath.Glob(goldens)
	if err != nil || len(files) < 2 {
		t.Fatalf("goldens %q, %v; want the full and the minimal one", files, err)
	}
	kept, err := filepath.Glob(committed)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, kept...) {
		data := []byte(contents(t, file))
		if err := validate(compiled, data); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if _, err := perf.DecodeResult(data, file); err != nil {
			t.Error(err)
		}
	}
}

// The committed baselines are read as a user's are: from their folders.
func TestCommittedBaselines(t *testing.T) {
	files, err := filepath.Glob(committed)
	if err != nil {
		t.Fatal(err)
	}
	entries, errs := Store{Dir: filepath.Dir(schemaFile)}.List()
	for _, err := range errs {
		t.Error(err)
	}
	if len(entries) != len(files) {
		t.Errorf("%d baselines are listed, and %d files are there", len(entries), len(files))
	}
}

// What the schema must refuse, DecodeResult refuses as well: each row spoils the full
// golden in one place.
func TestSchemaRefuses(t *testing.T) {
	compiled := compileSchema(t)
	full := contents(t, "../testdata/full.json")
	for name, row := range map[string]struct{ old, new string }{
		"another schema":      {`result/v1"`, `result/v2"`},
		"no workloads":        {`"workloads": [`, `"jobs": [`},
		"string in samples":   {`0.0019`, `"0.0019"`},
		"null in samples":     {`0.0019`, `null`},
		"state":               {`"state": "failed"`, `"state": "broken"`},
		"objective state":     {`"state": "MET"`, `"state": "OK"`},
		"verdict":             {`"SLOWER"`, `"slower"`},
		"design":              {`"paired"`, `"blocked"`},
		"direction":           {`"better": "lower"`, `"better": "smaller"`},
		"failed, no reason":   {`"reason": "exit status 1: want [ 1, 2 ], got [  3  ]"`, `"reason": ""`},
		"confidence":          {`"confidence": 0.95`, `"confidence": 1`},
		"null for a target":   {`"target": 2`, `"target": null`},
		"half a core":         {`"cores": 2`, `"cores": 2.5`},
		"exit status":         {`"exit": 3`, `"exit": 137`},
		"not a time":          {`"2026-11-23T02:03:04.5Z"`, `"yesterday"`},
		"id that is a path":   {`"20261123T020304Z-0a1b2c"`, `"../x"`},
		"a word for a bool":   {`"dirty": true`, `"dirty": "yes"`},
		"version of a tool":   {`"go": "1.26.8"`, `"go": 1.26`},
		"seed below zero":     {`"seed": 18446744073709551615`, `"seed": -1`},
		"an empty suite":      {`"suite": "cleanroom"`, `"suite": ""`},
		"a workload unnamed":  {`"name": "self-test"`, `"name": ""`},
		"a metric unnamed":    {`"name": "peak memory"`, `"name": ""`},
		"a null fingerprint":  {`"linux-amd64-2c-32g-0badcafe"`, `null`},
		"a level of none":     {`"parallel": 8`, `"parallel": 0`},
		"a scaling unnamed":   {`"name": "network none"`, `"name": ""`},
		"a word for a fit":    {`"lambda": 4.6`, `"lambda": "4.6"`},
		"a number of samples": {`"samples": [12.5]`, `"samples": 12.5`},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(full, row.old) {
				t.Fatalf("no %q in the golden", row.old)
			}
			data := []byte(strings.Replace(full, row.old, row.new, 1))
			if validate(compiled, data) == nil {
				t.Error("the schema takes it")
			}
			// A key that is missing is allowed to a reader, and is never written.
			if _, err := perf.DecodeResult(data, "a.json"); err == nil && row.new != `"jobs": [` {
				t.Error("DecodeResult takes it")
			}
		})
	}
}

// Keys may be added at every level.
func TestSchemaTakesMoreKeys(t *testing.T) {
	compiled := compileSchema(t)
	data := strings.ReplaceAll(contents(t, "../testdata/full.json"), "{\n", "{\n\"later\": \"x\",\n")
	if err := validate(compiled, []byte(data)); err != nil {
		t.Error(err)
	}
}

// FuzzSchema holds that whatever can be written is what the schema describes.
func FuzzSchema(f *testing.F) {
	compiled := compileSchema(f)
	files, err := filepath.Glob(goldens)
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := perf.DecodeResult(data, "f.json")
		if err != nil {
			return
		}
		written, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(compiled, written); err != nil {
			t.Errorf("%v\n%s", err, written)
		}
	})
}

// TestSchemaHasEveryKey walks over perf.Result and the schema together: each key of one
// is a key of the other, with the same type.
func TestSchemaHasEveryKey(t *testing.T) {
	root := parseSchema(t)
	w := &schemaWalk{t: t, root: root, defs: map[string]bool{}}
	w.object(reflect.TypeFor[perf.Result](), root, "result")
	for name := range root["$defs"].(schema) {
		if !w.defs[name] {
			t.Errorf("$defs/%s is used nowhere", name)
		}
	}
	if got := root["properties"].(schema)["schema"].(schema)["const"]; got != perf.Schema {
		t.Errorf("the schema describes %v, and perf writes %s", got, perf.Schema)
	}
}

type schemaWalk struct {
	t    *testing.T
	root schema
	defs map[string]bool // that were used
}

// resolve follows a reference into $defs.
func (w *schemaWalk) resolve(s schema) schema {
	ref, ok := s["$ref"].(string)
	if !ok {
		return s
	}
	name := strings.TrimPrefix(ref, "#/$defs/")
	w.defs[name] = true
	def, ok := w.root["$defs"].(schema)[name].(schema)
	if !ok {
		w.t.Fatalf("%s leads nowhere", ref)
	}
	return def
}

// value compares the type of a Go value with that of a schema.
func (w *schemaWalk) value(t reflect.Type, s schema, path string) {
	s = w.resolve(s)
	if s["description"] == nil && !strings.HasSuffix(path, "]") {
		w.t.Errorf("%s has no description", path)
	}
	if got, want := fmt.Sprint(s["type"]), jsonType(t); got != want {
		w.t.Errorf("%s is %s in the schema and %s in perf", path, got, want)
		return
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		if s["format"] != "date-time" {
			w.t.Errorf("%s has the format %v", path, s["format"])
		}
	case t.Kind() == reflect.Struct:
		w.object(t, s, path)
	case t.Kind() == reflect.Slice:
		w.value(t.Elem(), s["items"].(schema), path+"[]")
	case t.Kind() == reflect.Map:
		w.value(t.Elem(), s["additionalProperties"].(schema), path+"[]")
	}
}

func (w *schemaWalk) object(t reflect.Type, s schema, path string) {
	if s["additionalProperties"] != true {
		w.t.Errorf("%s allows no more keys", path)
	}
	properties, required := s["properties"].(schema), map[string]bool{}
	for _, key := range s["required"].([]any) {
		required[key.(string)] = true
	}
	keys := jsonKeys(t)
	for key, field := range keys {
		p, ok := properties[key].(schema)
		if !ok {
			w.t.Errorf("%s.%s is not in the schema", path, key)
			continue
		}
		if required[key] == field.optional {
			w.t.Errorf("%s.%s: required is %v, and perf may leave it out: %v", path, key, required[key], field.optional)
		}
		w.value(field.typ, p, path+"."+key)
	}
	for key := range properties {
		if _, ok := keys[key]; !ok {
			w.t.Errorf("%s.%s is in the schema, and perf knows no such key", path, key)
		}
	}
}

type jsonKey struct {
	typ      reflect.Type
	optional bool
}

func jsonKeys(t reflect.Type) map[string]jsonKey {
	keys := map[string]jsonKey{}
	for f := range t.Fields() {
		if f.Anonymous {
			for name, key := range jsonKeys(f.Type) {
				keys[name] = key
			}
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		keys[name] = jsonKey{f.Type, strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")}
	}
	return keys
}

// jsonType is the type of a Go value as a schema says it.
func jsonType(t reflect.Type) string {
	if t == reflect.TypeFor[time.Time]() {
		return "string"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "[" + jsonType(t.Elem()) + " null]"
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Slice:
		return "array"
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	case reflect.Float64:
		return "number"
	}
	return "integer"
}

// The values that a closed type of perf has are those that the schema lists.
func TestSchemaHasEveryConstant(t *testing.T) {
	defs := parseSchema(t)["$defs"].(schema)
	property := func(def, key string) schema { return defs[def].(schema)["properties"].(schema)[key].(schema) }
	values := constants(t)
	for _, row := range []struct {
		typ  string
		list any
	}{
		{"Better", defs["better"].(schema)["enum"]},
		{"State", property("workload", "state")["enum"]},
		{"ObjectiveState", property("objective", "state")["enum"]},
		{"Verdict", property("comparison", "verdict")["enum"]},
		{"WarningKind", property("warning", "kind")["examples"]},
		{"Unit", defs["unit"].(schema)["examples"]},
	} {
		var listed []string
		for _, v := range row.list.([]any) {
			listed = append(listed, v.(string))
		}
		if want := values[row.typ]; len(want) == 0 || !slices.Equal(listed, want) {
			t.Errorf("%s: the schema lists %q, perf has %q", row.typ, listed, want)
		}
	}
}

// constants returns the string constants of perf by the name of their type, in order.
func constants(t *testing.T) map[string][]string {
	t.Helper()
	values := map[string][]string{}
	for _, file := range []string{"../perf.go", "../unit.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			typ, named := spec.Type.(*ast.Ident)
			literal, isLiteral := spec.Values[0].(*ast.BasicLit)
			if named && isLiteral && literal.Kind == token.STRING {
				if s, err := strconv.Unquote(literal.Value); err == nil {
					values[typ.Name] = append(values[typ.Name], s)
				}
			}
			return true
		})
	}
	return values
}
