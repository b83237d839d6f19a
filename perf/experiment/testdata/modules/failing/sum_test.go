package sum

import "testing"

func TestZero(t *testing.T) {
	if got := Of(0, 0); got != 0 {
		t.Errorf("0 + 0 = %d", got)
	}
}

func TestTwo(t *testing.T) {
	if got := Of(1, 1); got != 2 {
		t.Errorf("1 + 1 = %d, want 2", got)
	}
}
