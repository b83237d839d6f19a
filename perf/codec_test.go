package perf

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// checkGolden compares got with the golden file, or writes it under -update.
func checkGolden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (write it with -update)", err)
	}
	// A checkout on Windows may have turned the line ends.
	want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what was written (-update accepts it):\n%s", path, got)
	}
}

func encode(t *testing.T, r *Result) []byte {
	t.Helper()
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestEncodeGolden(t *testing.T) {
	checkGolden(t, "full.json", encode(t, fullResult()))
	checkGolden(t, "minimal.json", encode(t, minimalResult()))
}

func TestRoundTrip(t *testing.T) {
	for name, r := range map[string]*Result{"full": fullResult(), "minimal": minimalResult()} {
		t.Run(name, func(t *testing.T) {
			data := encode(t, r)
			back, err := DecodeResult(data, "a.json")
			if err != nil {
				t.Fatal(err)
			}
			if want := r.normalised(); !reflect.DeepEqual(back, want) {
				t.Errorf("decoded\n%+v\nwant\n%+v", back, want)
			}
			if again := encode(t, back); !bytes.Equal(again, data) {
				t.Errorf("encoded again it is another file:\n%s", again)
			}
		})
	}
}

// A library that changes what it is asked to write would take values from the run that
// goes on measuring.
func TestEncodeLeavesItsResultAlone(t *testing.T) {
	r := minimalResult()
	r.Workloads = []WorkloadResult{{Name: "a", State: StateOK, Metrics: []Series{{Metric: Wall}}}}
	r.Comparisons = []Comparison{{Design: Paired, Better: Lower, Verdict: NoChange}}
	encode(t, r)
	if w := r.Workloads[0]; w.Command != nil || w.Warnings != nil || w.Metrics[0].Samples != nil {
		t.Errorf("Encode filled in the lists of a workload: %+v", w)
	}
	if r.Objectives != nil || r.Machine.Toolchain != nil || r.Comparisons[0].Old.Samples != nil {
		t.Errorf("Encode filled in the lists of the result: %+v", r)
	}
}

// The sentence of TestEncodeGolden's self-test holds brackets with numbers in them.
func TestEncodeKeepsSentences(t *testing.T) {
	r := minimalResult()
	for _, text := range []string{"[ 1, 2 ]", "[\n 1,\n 2\n]", "a && b > c < d", `"[ 7 ]"`, "\u2028", "[  3  ]"} {
		r.Warnings = []Warning{{WarnSubject, text}}
		back, err := DecodeResult(encode(t, r), "a.json")
		if err != nil {
			t.Fatal(err)
		}
		if got := back.Warnings[0].Text; got != text {
			t.Errorf("%q came back as %q", text, got)
		}
	}
}

// change returns the golden file with old, which must occur, replaced by new once.
func change(t *testing.T, old, new string) []byte {
	t.Helper()
	data := string(encode(t, fullResult()))
	if !strings.Contains(data, old) {
		t.Fatalf("the full result has no %q", old)
	}
	return []byte(strings.Replace(data, old, new, 1))
}

// lineWith is the line, from 1, of the first occurrence of text.
func lineWith(t *testing.T, data []byte, text string) int {
	t.Helper()
	i := bytes.Index(data, []byte(text))
	if i < 0 {
		t.Fatalf("no %q in\n%s", text, data)
	}
	return 1 + bytes.Count(data[:i], []byte("\n"))
}

// Every row breaks the full result in one place. The line in the error is that of the
// text in the column at; an empty one stands for the file as a whole.
func TestDecodeNamesLineAndReason(t *testing.T) {
	rows := []struct{ name, old, new, at, reason string }{
		{"newer schema", `result/v1"`, `result/v2"`, `"schema"`, `newer clnrm-perf: schema "clnrm-perf/result/v2"`},
		{"foreign schema", `clnrm-perf/result/v1`, `hyperfine/1`, `"schema"`, "not one of clnrm-perf"},
		{"schema with a sign", `result/v1"`, `result/v+1"`, `"schema"`, "not one of clnrm-perf"},
		{"schema of another type", `"clnrm-perf/result/v1"`, `1`, `"schema"`, "schema: found a JSON number where a string belongs"},
		{"no schema", `"schema": "clnrm-perf/result/v1",`, ``, ``, `no key "schema"`},
		{"NaN sample", `[0.0021, 0.0019`, "[0.0021,\n NaN", ` NaN`, "NaN is not a finite number"},
		{"minus infinity", `[0.0021, 0.0019`, "[0.0021,\n -Infinity", `-Infinity`, "Infinity is not a finite number"},
		{"sample out of range", `[0.0021, 0.0019`, "[0.0021,\n 1e999", `1e999`, "workloads.metrics.samples: found 1e999 where a number that fits into 64 bits belongs"},
		{"string in a sample", `[0.0021, 0.0019`, "[0.0021,\n \"0.0019\"", `"0.0019"`, "workloads.metrics.samples: found a JSON string where a number that fits into 64 bits belongs"},
		{"null in a sample", `[0.0021, 0.0019`, "[0.0021,\n null", ` null`, "workloads[1].metrics[0].samples[1]: null stands where a value belongs"},
		{"null for a limit", `"target": 2`, `"target": null`, `"target": null`, "objectives[0].target: null"},
		{"null for an object", `"machine": {`, `"machine": null, "was": {`, `"machine": null`, "machine: null stands where an object belongs"},
		{"fraction of a core", `"cores": 2`, `"cores": 2.5`, `"cores"`, "machine.cores: found 2.5 where a whole number belongs"},
		{"list for an object", `"tool": {`, `"tool": [], "was": {`, `"tool": []`, "tool: found a JSON array where an object belongs"},
		{"number for a list", `"only": [`, `"only": 3, "was": [`, `"only": 3`, "only: found a JSON number where a list belongs"},
		{"word for a boolean", `"dirty": true`, `"dirty": "yes"`, `"dirty"`, "subject.dirty: found a JSON string where true or false belongs"},
		{"negative seed", `18446744073709551615`, `-1`, `"seed"`, "comparisons.seed: found -1 where a whole number from 0 belongs"},
		{"not a time", `"2026-11-23T02:03:04.5Z"`, `"yesterday"`, `"created"`, "created: not a time"},
		{"time as a number", `"2026-11-23T02:03:04.5Z"`, `1795000000`, `"created"`, "created: not a time"},
		{"comma missing", `"mode": "quick",`, `"mode": "quick"`, `"created"`, "invalid character"},
		{"merge markers", `  "mode"`, "<<<<<<< HEAD\n  \"mode\"", `<<<<<<<`, "invalid character '<'"},
		{"key twice", `"mode": "quick",`, "\"mode\": \"quick\",\n\"mode\":\"full\",", `"mode":"full"`, "mode: the key stands there twice"},
		{"list twice", `"workloads": [`, "\"workloads\": [],\n\"workloads\":[", `"workloads":[`, "workloads: the key stands there twice"},
		{"key in capitals", `"confidence": 0.95`, `"Confidence": 0.95`, `"Confidence"`, `workloads[0].metrics[0].summary.Confidence: the key is written "confidence"`},
		{"empty id", `"20261123T020304Z-0a1b2c"`, `""`, `"id"`, `id: "" is not an identifier`},
		{"path as an id", `"20261123T020304Z-0a1b2c"`, `"../x"`, `"id"`, "id: "},
		{"path as a fingerprint", `"linux-amd64-2c-32g-0badcafe"`, `"a/b"`, `"fingerprint"`, "machine.fingerprint: "},
		{"unknown exit status", `"exit": 3`, `"exit": 137`, `"exit"`, "exit: 137"},
		{"workload twice", `"name": "self-test"`, `"name": "build", "was": "self-test"`, `"was": "self-test"`, `workloads[2].name: "build" stands there twice`},
		{"unknown state", `"state": "failed"`, `"state": "broken"`, `"state": "broken"`, `workloads[2].state: "broken"`},
		{"no reason", `"reason": "no engine answers"`, `"reason": ""`, `"state": "not measured"`, "workloads[3].reason: a workload that is not measured needs a reason"},
		{"metric twice", `"name": "peak memory"`, `"name": "wall"`, "", "workloads[1].metrics[1].name"},
		{"unknown direction", `"better": "lower"`, `"better": "smaller"`, `"smaller"`, `workloads[0].metrics[0].better: "smaller"`},
		{"objective without confidence", `"confidence": 0.95,`, ``, "", "objectives[0].confidence: 0 is not between 0 and 1"},
		{"bounds crossed", `"low": 0.002,`, `"low": 0.2,`, `"low": 0.2,`, "objectives[0].low: 0.2 lies above high"},
		{"negative count", `"n": 20`, `"n": -20`, `"n": -20`, "objectives[0].n: -20 is negative"},
		{"unknown verdict", `"verdict": "SLOWER"`, `"verdict": "WORSE"`, `"WORSE"`, "comparisons[0].verdict"},
		{"level of none", `"parallel": 8`, `"parallel": 0`, `"parallel": 0`, "scaling[0].levels[2].parallel: 0"},
		{"law crossed", `"low": 0.41`, `"low": 0.5`, `"low": 0.5`, "scaling[0].contention.low: 0.5 lies above"},
		{"unknown design", `"design": "paired"`, `"design": "blocked"`, `"blocked"`, "comparisons[0].design"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			data := change(t, row.old, row.new)
			want := 0
			switch row.name {
			case "no reason": // the first of the two lines that say so is the workload's
				want = lineWith(t, data, row.at) + 1
			case "metric twice": // it is called wall now, as two others before it
				want = lineWith(t, data, `"unit": "B"`) - 1
			case "objective without confidence": // the line on which the objective begins
				want = lineWith(t, data, `"objectives"`) + 1
			default:
				if row.at != "" {
					want = lineWith(t, data, row.at)
				}
			}
			checkSyntaxError(t, data, want, row.reason)
		})
	}
}

func checkSyntaxError(t *testing.T, data []byte, line int, reason string) {
	t.Helper()
	r, err := DecodeResult(data, "dir/a.json")
	if r != nil {
		t.Errorf("a result came back beside the error: %+v", r)
	}
	syn, ok := errors.AsType[*SyntaxError](err)
	if !ok {
		t.Fatalf("got %v (%T), want a SyntaxError", err, err)
	}
	if syn.File != "dir/a.json" || syn.Line != line || !strings.Contains(syn.Msg, reason) {
		t.Errorf("got  %v\nwant dir/a.json:%d: ...%s...", err, line, reason)
	}
}

func TestDecodeOfNoResult(t *testing.T) {
	for name, row := range map[string]struct {
		data   string
		line   int
		reason string
	}{
		"nothing":             {"", 0, "the file is empty"},
		"white space":         {" \n\n", 0, "the file is empty"},
		"a list":              {"\n[]", 2, "the result: found a JSON array where an object belongs"},
		"null":                {"null", 0, `no key "schema"`},
		"an empty object":     {"{}", 0, `no key "schema"`},
		"text":                {"hello", 1, "invalid character 'h'"},
		"schema and no more":  {`{"schema": "clnrm-perf/result/v1"}`, 0, "id: "},
		"somebody else's":     {`{"results": [{"command": "sleep 1"}]}`, 0, "not a result of clnrm-perf"},
		"a schema that is no": {"{\n\"schema\": \"clnrm-perf/result/v0\"}", 2, "not one of"},
		"nested without end":  {strings.Repeat("[", 20_000), 1, ""},
	} {
		t.Run(name, func(t *testing.T) { checkSyntaxError(t, []byte(row.data), row.line, row.reason) })
	}
}

// However much of a file is missing, there is no result, and the error names the last
// line that is there.
func TestDecodeTruncated(t *testing.T) {
	data := bytes.TrimSpace(encode(t, fullResult()))
	for n := 1; n < len(data); n++ {
		checkSyntaxError(t, data[:n], 1+bytes.Count(data[:n-1], []byte("\n")), "truncated?")
		if t.Failed() {
			t.Fatalf("cut after %d bytes", n)
		}
	}
}

func TestDecodeTrailing(t *testing.T) {
	data := encode(t, minimalResult())
	lines := bytes.Count(data, []byte("\n"))
	for tail, line := range map[string]int{"x": lines + 1, "\n\n  {}": lines + 3, string(data): lines + 1, "\x00": lines + 1, "\v": lines + 1} {
		t.Run(fmt.Sprintf("%.8q", tail), func(t *testing.T) {
			checkSyntaxError(t, append(bytes.Clone(data), tail...), line, "behind the end of the result")
		})
	}
	if _, err := DecodeResult(append(bytes.Clone(data), " \t\r\n\n"...), "a.json"); err != nil {
		t.Errorf("white space behind the end is an error: %v", err)
	}
}

// Keys may be added, at every level, with any value.
func TestDecodeUnknownKeys(t *testing.T) {
	for _, old := range []string{`"mode":`, `"version":`, `"cores":`, `"command":`, `"better":`, `"quantile":`, `"design":`, `"ref":`} {
		for _, key := range []string{`"later": null, `, `"later": [1, {"a": {}}], "later": 2, `, `"": "", `} {
			r, err := DecodeResult(change(t, old, key+old), "a.json")
			if err != nil {
				t.Errorf("%s before %s: %v", key, old, err)
				continue
			}
			if want := fullResult().normalised(); !reflect.DeepEqual(r, want) {
				t.Errorf("%s before %s changed the result", key, old)
			}
		}
	}
}

// Lists that are null are empty ones; numbers that may be missing may be null.
func TestDecodeNullLists(t *testing.T) {
	for _, key := range []string{"workloads", "objectives", "comparisons", "warnings"} {
		data := strings.Replace(string(encode(t, minimalResult())), `"`+key+`": []`, `"`+key+`": null`, 1)
		r, err := DecodeResult([]byte(data), "a.json")
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		if got := encode(t, r); !bytes.Equal(got, encode(t, minimalResult())) {
			t.Errorf("%s: null was not encoded as an empty list:\n%s", key, got)
		}
	}
}

func TestSyntaxErrorText(t *testing.T) {
	for want, err := range map[string]error{
		"a.json:3: odd": &SyntaxError{"a.json", 3, "odd"},
		"a.json: odd":   &SyntaxError{"a.json", 0, "odd"},
	} {
		if err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
}

// FuzzDecodeResult holds that no input panics, that every error names file and reason,
// and that what decodes can be written and is then read as the same.
func FuzzDecodeResult(f *testing.F) {
	for _, r := range []*Result{fullResult(), minimalResult()} {
		data, err := r.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"schema":"clnrm-perf/result/v1","id":"a","suite":"[ 1 ]","created":"2026-01-02T03:04:05+02:00","machine":{"fingerprint":"a"}}`))
	f.Add([]byte(`{"schema":"clnrm-perf/result/v1","workloads":[{"metrics":[{"samples":[1,null]}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeResult(data, "f.json")
		if err != nil {
			if syn, ok := errors.AsType[*SyntaxError](err); !ok || syn.File != "f.json" || syn.Msg == "" || syn.Line < 0 || syn.Line > 1+bytes.Count(data, []byte("\n")) {
				t.Fatalf("an error without place or reason: %#v", err)
			}
			return
		}
		written, err := r.Encode()
		if err != nil {
			t.Fatalf("it decodes and does not encode: %v", err)
		}
		back, err := DecodeResult(written, "f.json")
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, written)
		}
		if again, err := back.Encode(); err != nil || !bytes.Equal(again, written) {
			t.Fatalf("written twice (%v):\n%s\n%s", err, written, again)
		}
		if !r.Created.Equal(back.Created) {
			t.Fatalf("created %v came back as %v", r.Created, back.Created)
		}
		back.Created = r.Created
		if want := r.normalised(); !reflect.DeepEqual(back.normalised().Workloads, want.Workloads) ||
			!reflect.DeepEqual(back.Objectives, want.Objectives) || !reflect.DeepEqual(back.Comparisons, want.Comparisons) {
			t.Fatalf("came back as\n%+v\nwant\n%+v", back, want)
		}
	})
}

// The tests above say something about every key only as long as fullResult gives every
// key a value.
func TestFullResultIsFull(t *testing.T) {
	filled := map[string]bool{}
	collect(reflect.ValueOf(fullResult()).Elem(), filled)
	for field, is := range filled {
		if !is {
			t.Errorf("%s has its zero value everywhere", field)
		}
	}
}

// collect notes of every field of a struct whether it has a value other than its zero
// in one place at least.
func collect(v reflect.Value, filled map[string]bool) {
	switch v.Kind() {
	case reflect.Struct:
		for f, fv := range v.Fields() {
			if !f.IsExported() {
				continue // the inside of a time.Time
			}
			name := v.Type().String() + "." + f.Name
			filled[name] = filled[name] || !fv.IsZero()
			collect(fv, filled)
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), filled)
		}
	}
}

// A baseline of ten thousand samples, as a long series of fast runs leaves it.
func BenchmarkDecodeResult(b *testing.B) {
	r := fullResult()
	samples := make(Sample, 10_000)
	for i := range samples {
		samples[i] = 0.002 + float64(i)*1e-7
	}
	r.Workloads[0].Metrics[0].Samples, r.Workloads[0].Metrics[0].Summary = samples, nil
	data, err := r.Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := DecodeResult(data, "a.json"); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDecodeByteOrderMark(t *testing.T) {
	data, err := minimalResult().Encode()
	if err != nil {
		t.Fatal(err)
	}
	r, err := DecodeResult(append([]byte("\ufeff"), data...), "a.json")
	if r != nil || err == nil || !strings.Contains(err.Error(), "a.json:1: the file begins with a byte-order mark") {
		t.Errorf("got %v, %v", r, err)
	}
}
