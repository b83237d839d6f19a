package container

import (
	"testing"
)

func TestLifecycle(t *testing.T) {
	e := realEngine(t)
	s := probeSpec(probeImage(t, e))
	s.Use = true
	for range 3 {
		p, err := Lifecycle(t.Context(), e, s)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v use %+v total %v start %v", p, p.Use, p.Total(), p.ContainerStart())
	}
}
