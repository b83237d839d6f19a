//go:build mage

package main

import (
	"strings"
	"testing"
)

// TestTallyOfATestThatHangs: what the time limit of go test prints belongs to the test
// that ran then, which never ends.
func TestTallyOfATestThatHangs(t *testing.T) {
	var out strings.Builder
	tally := newTally(&out)
	err := tally.read(strings.NewReader(`
{"Action":"run","Package":"m/p","Test":"TestQuick"}
{"Action":"output","Package":"m/p","Test":"TestQuick","Output":"quick says\n"}
{"Action":"pass","Package":"m/p","Test":"TestQuick"}
{"Action":"run","Package":"m/p","Test":"TestHangs"}
{"Action":"output","Package":"m/p","Test":"TestHangs","Output":"panic: test timed out after 20m0s\n"}
{"Action":"output","Package":"m/p","Output":"FAIL\tm/p\t1200.1s\n"}
{"Action":"fail","Package":"m/p","Elapsed":1200.1}
{"Action":"output","Package":"m/q","Test":"TestGoesOn","Output":"of another package\n"}
`))
	if err != nil {
		t.Fatal(err)
	}
	const want = "\npanic: test timed out after 20m0s\n--- FAIL: TestHangs (it did not end)\nFAIL\tm/p\t1200.1s\nFAIL     m/p  1200.1s\n"
	if out.String() != want {
		t.Errorf("it printed %q", out.String())
	}
	if tally.passed != 1 || tally.failed != 1 {
		t.Errorf("%d passed, %d failed", tally.passed, tally.failed)
	}
}
