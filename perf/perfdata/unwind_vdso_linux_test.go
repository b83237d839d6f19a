package perfdata

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
)

// copyOfVDSO copies the object that the kernel maps into this process.
func copyOfVDSO(t *testing.T) []byte {
	t.Helper()
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var start, end int64
		if !strings.HasSuffix(lines.Text(), "[vdso]") {
			continue
		}
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x", &start, &end); err != nil {
			t.Fatal(err)
		}
		data := make([]byte, end-start)
		if _, err := memory.ReadAt(data, start); err != nil {
			t.Fatal(err)
		}
		return data
	}
	t.Skip("this system maps no vdso")
	return nil
}

// TestTableOfVDSO: each function that the kernel offers has rows.
func TestTableOfVDSO(t *testing.T) {
	o := mustOpenObject(t, writeTemp(t, copyOfVDSO(t)))
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
