package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

func TestSelfTestPasses(t *testing.T) {
	r := newRoom(t, nil)
	out, complaints, status := r.call("self-test")
	if status != 0 || complaints != "" || !strings.HasPrefix(out, "Framework Self-Test Results:\n") ||
		!strings.Contains(out, "\nTotal: 33 tests, 33 passed, 0 failed\nOverall: ✅ ALL PASSED (") {
		t.Errorf("status %d, %q, got:\n%s", status, complaints, out)
	}
}

// TestSelfTestFails: each way in which a file can be wrong turns it red.
func TestSelfTestFails(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"regex", strings.Replace(hello, `regex = "hello"`, `regex = "bye"`, 1), `output does not match "bye"`},
		{"broken", hello[:30], ":3: "},
		{"passes in spite", mustFail + "exit status 1\n" + hello, "passed, but should have failed"},
		{"fails otherwise", mustFail + "exit status 9\n" + strings.Replace(hello, `["echo", "hello"]`, `["exit 1"]`, 1), "but should have with"},
		{"bad expression", mustFail + "a(\n" + hello, "not followed by an expression"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out bytes.Buffer
			files := fstest.MapFS{"d/good.clnrm.toml": {Data: []byte(hello)}, "d/x.clnrm.toml": {Data: []byte(tc.text)}}
			err := selfTest(t.Context(), files, testExecutor(t), &out)
			if !errors.Is(err, errReported) || !strings.Contains(out.String(), tc.want) ||
				!strings.Contains(out.String(), "Total: 2 tests, 1 passed, 1 failed\nOverall: ❌ SOME FAILED") {
				t.Errorf("%v, got:\n%s", err, &out)
			}
		})
	}
	if err := selfTest(t.Context(), fstest.MapFS{}, testExecutor(t), &bytes.Buffer{}); err == nil {
		t.Error("a self-test of nothing passed")
	}
}
