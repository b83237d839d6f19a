package perfdata

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
)

// packedOf compresses data as a section, of which it opens a part of so many.
func packedOf(t *testing.T, data []byte, parts int) *packed {
	t.Helper()
	raw := binary.LittleEndian.AppendUint64([]byte{byte(elf.COMPRESS_ZLIB), 0, 0, 0, 0, 0, 0, 0}, uint64(len(data)))
	raw = append(binary.LittleEndian.AppendUint64(raw, 1), deflated(t, data, zlib.DefaultCompression)...)
	p, err := openPacked(bytes.NewReader(raw[:len(raw)/parts]), uint64(len(raw)), elf.ELFCLASS64, binary.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPackedAsFarAsAsked: what nobody asks for is not inflated, and what is cut off
// behind what is asked for is not missed.
func TestPackedAsFarAsAsked(t *testing.T) {
	data := flateInputs(t)["text"]
	p := packedOf(t, data, 1)
	if got, err := p.upTo(10); err != nil || len(got) < 10 || len(got) > 2*packedStep || !bytes.Equal(got, data[:len(got)]) {
		t.Errorf("%d bytes for 10, %v", len(got), err)
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := 1 + i; n < len(data); n += 10_000 {
				if got, err := p.upTo(uint64(n)); err != nil || !bytes.Equal(got, data[:len(got)]) {
					t.Errorf("up to %d: %d bytes, %v", n, len(got), err)
				}
			}
		})
	}
	all.Wait()
	if got, err := p.upTo(p.size); err != nil || !bytes.Equal(got, data) {
		t.Errorf("all of it: %d bytes, %v", len(got), err)
	}

	p = packedOf(t, data, 2)
	for range 2 {
		if _, err := p.upTo(p.size); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("all of what is cut off: %v", err)
		}
	}
	if got, err := p.upTo(10_000); err != nil || !bytes.Equal(got[:10_000], data[:10_000]) {
		t.Errorf("the begin of what is cut off: %v", err)
	}
}

// TestUnitsAsFarAsAsked holds what is found by .debug_aranges alone against what is found
// when all units are known, and wants less of a compressed section to be inflated for it.
func TestUnitsAsFarAsAsked(t *testing.T) {
	program := compile(t, "a.cpp", cppSource, "g++", "-O2", "-gdwarf-5", "-gz=zlib")
	addresses := textAddresses(t, program)
	early, late := symbolsOf(t, program).debugInfo(), symbolsOf(t, program).debugInfo()
	late.early = nil
	compiled := 0
	for _, a := range addresses {
		if _, ok := early.early.find(a); !ok {
			continue
		}
		compiled++
		if x, y := early.frames(a, nil), late.frames(a, nil); !slices.Equal(x, y) {
			t.Errorf("%#x: %+v, and %+v when all units are known", a, x, y)
		}
	}
	if compiled == 0 || len(early.spans) > 0 || len(late.spans) == 0 {
		t.Errorf("%d of %d addresses are of .debug_aranges; %d spans of units, then %d", compiled, len(addresses), len(early.spans), len(late.spans))
	}
	if u := early.unitOf(1); u != nil || len(early.spans) == 0 {
		t.Errorf("an address that is nowhere is of the unit at %#x; %d spans of units", u.offset, len(early.spans))
	}
	if faults := append(early.takeFaults(), late.takeFaults()...); len(faults) > 0 {
		t.Error(faults)
	}
}
