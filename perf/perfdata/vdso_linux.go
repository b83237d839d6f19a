package perfdata

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxVDSO bounds the object that the kernel maps into every process. It has two pages or
// three.
const maxVDSO = 1 << 20

// ownVDSO reads the object that the kernel has mapped into this process: it is the same
// in all of them that have as many bits.
func ownVDSO() (File, error) {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		if !strings.HasSuffix(line, vdsoPath) {
			continue
		}
		var start, end uint64
		if _, err := fmt.Sscanf(line, "%x-%x", &start, &end); err != nil || end < start || end-start > maxVDSO {
			return nil, fmt.Errorf("/proc/self/maps has a vdso that makes no sense: %q", line)
		}
		return readOwn(start, end-start)
	}
	return nil, errors.Join(lines.Err(), os.ErrNotExist)
}

func readOwn(start, size uint64) (File, error) {
	f, err := os.Open("/proc/self/mem")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.NewSectionReader(f, int64(start), int64(size)))
	if err != nil {
		return nil, fmt.Errorf("reading the vdso: %w", err)
	}
	return memoryFile{bytes.NewReader(b)}, nil
}
