package perfdata

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
)

// readJITMap reads the functions that a compiler has made while the program ran, as it
// wrote them into /tmp/perf-PID.map: begin and size in hexadecimal, with or without 0x, and
// a name that may hold blanks (tools/perf/Documentation/jit-interface.txt of Linux).
//
// Where two functions begin at the same address, the compiler has used the memory of the
// first one again, and the later line holds. A last line that was cut off is left out: the program may have been
// writing it when it ended.
func readJITMap(r io.Reader) (*symbolTable, error) {
	var all []symbol
	var bad error
	err := symbolLines(r, func(line []byte) error {
		if bad != nil {
			return bad // it was not the last line
		}
		start, rest, ok := cutHex(bytes.TrimPrefix(line, []byte("0x")))
		size, name, ok2 := cutHex(bytes.TrimPrefix(rest, []byte("0x")))
		if !ok || !ok2 || len(name) == 0 || start+size < start {
			bad = errors.New("the line before has no begin, size and name of a function")
			return nil
		}
		all = append(all, symbol{name: string(name), start: start, end: start + size, binding: elf.STB_GLOBAL})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("JIT map: %w", err)
	}
	return newSymbolTable(lastWins(all)), nil
}

// lastWins leaves of functions that begin at the same address the last one.
func lastWins(all []symbol) []symbol {
	last := make(map[uint64]int, len(all))
	for i, s := range all {
		last[s.start] = i
	}
	kept := all[:0]
	for i, s := range all {
		if last[s.start] == i {
			kept = append(kept, s)
		}
	}
	return kept
}
