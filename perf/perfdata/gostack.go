package perfdata

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strings"
)

// goEnds are the functions of Go's runtime at which a stack ends, though what the linker
// writes of x86-64 has a caller for them: what lies there is left over from other calls.
var goEnds = map[string]goEnd{
	"runtime.rt0_go":      {},                    // what the system starts
	"runtime.goexit":      {},                    // what a goroutine begins with
	"runtime.clone":       {after: threadBegins}, // what a thread begins with
	"runtime.morestack":   {switches: true},
	"runtime.mcall":       {switches: true},
	"runtime.systemstack": {switches: true},
	"runtime.asmcgocall":  {switches: true},
}

// goInjected are the functions that the handlers of signals make a goroutine call: their
// return address is where it was interrupted, and before that there is no call. The runtime's
// own tracebacks treat these so.
var goInjected = map[string]bool{"runtime.asyncPreempt": true, "runtime.sigpanic": true, "runtime.debugCallV2": true}

// A goEnd says where in a function the end is.
type goEnd struct {
	switches bool     // where it is on another stack than its callers
	after    []string // behind these instructions; nothing: everywhere
}

// goEndSection is the name of what is made here.
const goEndSection = "ends of Go's stacks"

// goFrames describes the goEnds of an object: there the return address is not defined, and,
// where the stack was switched, the stack pointer neither. nil: it is not of Go. injected is
// where the goInjected begin.
func goFrames(o *object) (ends *frameSection, injected []uint64, err error) {
	t, err := readGoTable(o)
	if t == nil || err != nil {
		return nil, nil, err
	}
	cie := []byte{1, 0, 1, 0x78, regRIP, cfaDefCFA, regRSP, wordSize, cfaUndefined, regRIP}
	b := appendFrameEntry(nil, math.MaxUint32, cie)
	empty := len(b)
	for i := range t.count {
		f, ok := t.function(t.entry(i))
		if !ok {
			continue
		}
		name := strings.TrimSuffix(stringAt(t.names, uint64(f.word(goFuncName))), ".abi0")
		if goInjected[name] {
			injected = append(injected, f.entry)
		}
		end, ok := goEnds[name]
		if !ok {
			continue
		}
		code, err := codeAt(o.elf, f.entry, t.entry(i+1))
		if err != nil {
			return nil, injected, err
		}
		from, to := end.span(code)
		if from >= to {
			continue
		}
		body := binary.LittleEndian.AppendUint64(nil, f.entry+uint64(from))
		body = binary.LittleEndian.AppendUint64(body, uint64(to-from))
		if end.switches {
			body = append(body, cfaUndefined, regRSP)
		}
		b = appendFrameEntry(b, 0, body)
	}
	if len(b) == empty {
		return nil, injected, nil
	}
	return &frameSection{name: goEndSection, debug: true, data: b}, injected, nil
}

// maxEndCode bounds the code of one such function; they have some hundred bytes.
const maxEndCode = 1 << 12

// codeAt reads the code from start to end.
func codeAt(e *elf.File, start, end uint64) ([]byte, error) {
	if end <= start || end-start > maxEndCode {
		return nil, nil
	}
	for _, p := range e.Progs {
		if p.Type != elf.PT_LOAD || start < p.Vaddr || end-p.Vaddr > p.Filesz {
			continue
		}
		b := make([]byte, end-start)
		if n, err := p.ReadAt(b, int64(start-p.Vaddr)); err != nil && (n < len(b) || !errors.Is(err, io.EOF)) {
			return nil, err
		}
		return b, nil
	}
	return nil, nil
}
