package perf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
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
