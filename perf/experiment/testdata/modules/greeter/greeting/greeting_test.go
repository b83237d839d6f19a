package greeting

import "testing"

func TestOne(t *testing.T) {
	if got := Of([]string{"Ada"}); got != "Hello Ada!" {
		t.Error(got)
	}
}

func TestTwo(t *testing.T) {
	if got := Of([]string{"Ada", "Bob"}); got != "Hello Ada and Bob!" {
		t.Error(got)
	}
}
