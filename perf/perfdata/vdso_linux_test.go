package perfdata

import (
	"errors"
	"io/fs"
	"testing"
)

// TestOwnVDSO checks that what the kernel maps into this process is an object with
// functions in it.
func TestOwnVDSO(t *testing.T) {
	f, err := ownVDSO()
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this kernel maps none")
	}
	if err != nil {
		t.Fatal(err)
	}
	o, err := openObject(vdsoPath, f)
	if err != nil {
		t.Fatal(err)
	}
	all, err := o.elf.DynamicSymbols()
	if err != nil || len(all) == 0 {
		t.Fatalf("%d symbols: %v", len(all), err)
	}
	s := newSymbols(o, noFiles)
	for _, x := range all {
		if x.Value == 0 || x.Size == 0 {
			continue
		}
		if _, start, ok := s.lookup(x.Value + 1); !ok || start != x.Value {
			t.Errorf("%s at %#x is not found", x.Name, x.Value)
		}
	}
}
