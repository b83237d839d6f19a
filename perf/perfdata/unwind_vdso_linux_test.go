package perfdata

import (
	"strings"
	"testing"
)

// TestTableOfVDSO: each function that the kernel offers has rows.
func TestTableOfVDSO(t *testing.T) {
	o := mustOpenOwnVDSO(t)
	defer o.Close()
	table, err := loadUnwindTable(o)
	if unwindable(o.elf) != nil {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	tableText(t, table)
	symbols, err := o.elf.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, s := range symbols {
		if s.Section != 0 && s.Size > 0 && strings.HasPrefix(s.Name, "__vdso_") {
			if found++; newUnwinder().lookup(table, s.Value+s.Size/2) == nil {
				t.Errorf("%s at %#x has no row", s.Name, s.Value)
			}
		}
	}
	if found == 0 {
		t.Error("the vdso has no functions")
	}
}
