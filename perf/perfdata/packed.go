package perfdata

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
)

// packed is the content of a section that is compressed, as far as somebody has asked for
// it, from the begin on. It is safe for concurrent use.
type packed struct {
	size uint64
	have atomic.Pointer[[]byte]

	mu  sync.Mutex
	z   *zlibStream // nil: all of it is there
	err error       // why there is no more
}

// openPacked reads the header of a section that was compressed to n bytes (SHF_COMPRESSED:
// ELF gABI, "Section compression"). What zstd has made is read at once: compilers seldom
// ask for it.
func openPacked(raw io.Reader, n uint64, class elf.Class, order binary.ByteOrder) (*packed, error) {
	head := make([]byte, 24)
	if class == elf.ELFCLASS32 {
		head = head[:12]
	}
	if _, err := io.ReadFull(raw, head); err != nil {
		return nil, errors.New("the header of the compressed section is cut off")
	}
	p := &packed{}
	if class == elf.ELFCLASS32 {
		p.size = uint64(order.Uint32(head[4:]))
	} else {
		p.size = order.Uint64(head[8:])
	}
	if most := min(maxSection, maxInflation*n); p.size > most {
		return nil, fmt.Errorf("says that %d bytes become %d uncompressed, more than the %d that are read", n, p.size, most)
	}
	p.have.Store(new([]byte))
	n -= uint64(len(head))
	switch kind := elf.CompressionType(order.Uint32(head)); kind {
	case elf.COMPRESS_ZLIB:
		var err error
		p.z, err = newZlibStream(raw, n, p.size)
		return p, err
	case elf.COMPRESS_ZSTD:
		z, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		all, err := inflateAll(z, p.size, n)
		p.have.Store(&all)
		return p, err
	default:
		return nil, fmt.Errorf("is compressed in a way (%d) that is not known", kind)
	}
}

// packedStep is how much is made at once: neighbours are often asked for together.
const packedStep = 64 << 10

// upTo returns the first n bytes, or more of them, which the caller must not change.
func (p *packed) upTo(n uint64) ([]byte, error) {
	if have := *p.have.Load(); uint64(len(have)) >= n {
		return have, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if have := *p.have.Load(); uint64(len(have)) >= n {
		return have, nil
	}
	if p.err != nil || p.z == nil {
		return nil, p.err
	}
	data, err := p.z.upTo(min(n+packedStep, p.size))
	if err != nil {
		// What comes before the damage is there nevertheless.
		data = p.z.got()
		p.err, p.z = err, nil
	}
	p.have.Store(&data)
	if uint64(len(data)) < n {
		return nil, err
	}
	if uint64(len(data)) == p.size {
		p.z = nil
	}
	return data, nil
}

// maxInflation bounds how many times its compressed size a section may have. Debug
// information becomes three to five times as large, and sections of repeated names forty.
const maxInflation = 128

// inflateAll reads what shall have so many bytes. At first there is room for as many as
// sections usually have: a size that is a lie takes no memory.
func inflateAll(in io.Reader, size, compressed uint64) ([]byte, error) {
	out := make([]byte, 0, min(size, 8*compressed))
	for {
		n, err := io.ReadFull(in, out[len(out):cap(out)])
		out = out[:len(out)+n]
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, err
		}
		if err != nil || uint64(len(out)) >= size {
			break
		}
		out = slices.Grow(out, int(min(uint64(len(out)), size-uint64(len(out)))))
	}
	if uint64(len(out)) != size {
		return nil, fmt.Errorf("has %d bytes uncompressed, not the %d that it says", len(out), size)
	}
	return out, nil
}
