package profiler

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A ring is the buffer that the kernel shares with us for one event: a page of control,
// and a power of two of pages of records (perf_event_open(2), "MMAP layout").
type ring struct {
	fd   int
	mem  []byte
	data []byte
	head *uint64 // the kernel's: how much it has written
	tail *uint64 // ours: how much of it was read

	periods *periods // nil: samples weigh their period
	steps   map[uint32]step
	weights []weighed // of the samples that are in the ring
}

// mapRing maps the buffer of an event.
func mapRing(fd, size int) (*ring, error) {
	page := os.Getpagesize()
	mem, err := unix.Mmap(fd, 0, page+size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	control := (*unix.PerfEventMmapPage)(unsafe.Pointer(&mem[0]))
	return &ring{fd: fd, mem: mem, data: mem[page:], head: &control.Data_head, tail: &control.Data_tail}, nil
}

func (r *ring) unmap() error { return unix.Munmap(r.mem) }

// tally is what records say of the recording itself.
type tally struct {
	samples, lost, throttled uint64
}

// drain writes the records that are in the ring, and reports whether there were any. They
// go to the file from where they are: at the end of the ring one can be in two parts.
func (r *ring) drain(out io.Writer, t *tally) (bool, error) {
	head, tail := atomic.LoadUint64(r.head), atomic.LoadUint64(r.tail)
	if head == tail {
		return false, nil
	}
	if err := r.count(tail, head, t); err != nil {
		return false, err
	}
	from := tail
	for _, w := range r.weights { // the kernel lets nobody write into its buffer
		if err := r.write(out, from, w.at); err != nil {
			return false, err
		}
		if _, err := out.Write(binary.NativeEndian.AppendUint64(nil, w.weight)); err != nil {
			return false, err
		}
		from = w.at + 8
	}
	r.weights = r.weights[:0]
	if err := r.write(out, from, head); err != nil {
		return false, err
	}
	atomic.StoreUint64(r.tail, head)
	return true, nil
}

// write writes what is in the ring from one place to another.
func (r *ring) write(out io.Writer, begin, end uint64) error {
	if begin == end {
		return nil
	}
	mask := uint64(len(r.data)) - 1
	from, to := begin&mask, end&mask
	if to > from {
		_, err := out.Write(r.data[from:to])
		return err
	}
	if _, err := out.Write(r.data[from:]); err != nil {
		return err
	}
	_, err := out.Write(r.data[:to])
	return err
}

// count looks at the heads of records. Their sizes are multiples of 8, so that no number
// in them lies across the end of the ring.
func (r *ring) count(from, to uint64, t *tally) error {
	mask := uint64(len(r.data)) - 1
	number := func(at uint64) uint64 { return binary.NativeEndian.Uint64(r.data[at&mask:]) }
	for from < to {
		kind := binary.NativeEndian.Uint32(r.data[from&mask:])
		size := uint64(binary.NativeEndian.Uint16(r.data[(from+6)&mask:]))
		if size < 8 || size > to-from {
			return fmt.Errorf("a record of type %d in the kernel's buffer has %d bytes, of %d that are there", kind, size, to-from)
		}
		switch kind {
		case unix.PERF_RECORD_SAMPLE:
			t.samples++
			if r.periods != nil {
				r.weigh(from)
			}
		case unix.PERF_RECORD_LOST:
			t.lost += number(from + 16)
		case unix.PERF_RECORD_THROTTLE:
			t.throttled++
		}
		from += size
	}
	return nil
}

// Sizes of a ring: of half a second of samples, in which a recorder that waits for its
// turn on a busy machine gets one; together they are bounded, as the memory cannot be
// swapped.
const (
	leastRing = 64 << 10
	mostRing  = 32 << 20
	allRings  = 256 << 20
)

// ringSize is a power of two of bytes for so many samples a second.
func ringSize(sampleBytes, frequency, cpus int) int {
	size := min(max(sampleBytes*frequency/2, leastRing), mostRing, max(allRings/max(cpus, 1), leastRing))
	return 1 << bits.Len(uint(size-1))
}
