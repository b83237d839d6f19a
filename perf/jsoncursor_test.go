package perf

import (
	"bytes"
	"encoding/json"
	"testing"
)

// TestJSONCursor walks over values as encoding/json does.
func TestJSONCursor(t *testing.T) {
	values := []string{`0`, `-1.5e-7`, `true`, `null`, `""`, `"a\"]}\\"`, `"\u00e9\n é"`, `[]`, `{}`, `[1, 2]`, `[[], [{"]": "}"}]]`, `{"a": {"b": [null, "{["]}, "c": 1}`, `[ 1
, 2 ]`}
	var text bytes.Buffer
	text.WriteString("{")
	for i, v := range values {
		if i > 0 {
			text.WriteString(" ,\n")
		}
		text.WriteString(`"k\ud83d\ude00` + string(rune('a'+i)) + "\xff\" :\t" + v)
	}
	text.WriteString(" }")
	c, dec := jsonCursor{data: text.Bytes()}, json.NewDecoder(bytes.NewReader(text.Bytes()))
	if _, err := dec.Token(); err != nil || !c.open() {
		t.Fatal(err)
	}
	for i, v := range values {
		if !c.more() || !dec.More() {
			t.Fatalf("the walk ends before %s", v)
		}
		key := c.key()
		if want, err := dec.Token(); err != nil || key != want || int64(c.at) != dec.InputOffset() {
			t.Errorf("key %d is %q at %d, want %q at %d (%v)", i, key, c.at, want, dec.InputOffset(), err)
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			t.Fatal(err)
		}
		if got := c.skip(); !bytes.Equal(got, raw) || string(got) != v || int64(c.at) != dec.InputOffset() {
			t.Errorf("read %q up to %d, want %q up to %d", got, c.at, raw, dec.InputOffset())
		}
	}
	if c.more() || c.at != text.Len() {
		t.Errorf("at %d of %d after the end", c.at, text.Len())
	}
	for _, list := range []string{`[]`, `[1,-2.5e+3 , null]`, `null`} {
		c := jsonCursor{data: []byte(" " + list + "}")}
		if got := string(c.numbers()); got != list {
			t.Errorf("numbers of %s are %q", list, got)
		}
	}
	if c := (jsonCursor{data: []byte("7")}); string(c.skip()) != "7" {
		t.Error("a number at the end of the data")
	}
}
