package perfdata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A Writer writes a recording as a perf.data file: header, events, records, features
// (tools/perf/Documentation/perf.data-file-format.txt in Linux). What it writes is what
// perf record writes on the same machine, and perf reads it.
//
// Records pass through unread, so that a recorder can write what the kernel gave it
// straight from its buffer. Numbers are in the byte order of the machine.
type Writer struct {
	out    WriterFile
	events []EventAttr
	start  int64 // where the records begin
	size   int64 // of the records so far
	arch   string
	suffix []byte // what ends each record that is no sample, if the events have sample_id_all
}

// A WriterFile is what a recording is written to. Its position is at the beginning; an
// *os.File that was opened for appending will not do.
type WriterFile interface {
	io.Writer
	io.WriterAt
}

// An EventAttr is an event of a recording.
type EventAttr struct {
	// Attr is the kernel's struct perf_event_attr (perf_event_open(2)), of the size that
	// its own field says.
	Attr []byte
	// IDs are those that samples and other records name it by, one for each CPU.
	IDs []uint64
	// Name is what perf calls it, such as cpu-clock.
	Name string
}

// The format's numbers.
const (
	magic         = "PERFILE2"
	headerSize    = 104
	sectionSize   = 16
	featureArch   = 6
	featureEvents = 12
	stringAlign   = 64
)

// Offsets in struct perf_event_attr.
const (
	attrSizeAt   = 4
	attrSampleAt = 24
	attrBitsAt   = 40
)

// sampleIDs are the bits of sample_type that end other records too, if sample_id_all is
// set; each is 8 bytes.
var sampleIDs = []uint64{sampleTID, sampleTime, sampleID, sampleStreamID, sampleCPU, sampleIdentifier}

// NewWriter begins a recording of events, which are of one size and agree about
// sample_id_all. arch is the machine's, as uname -m says it. Nothing is valid until Finish.
func NewWriter(out WriterFile, arch string, events ...EventAttr) (*Writer, error) {
	w := &Writer{out: out, events: events, arch: arch}
	if len(events) == 0 {
		return nil, errors.New("writing perf.data: there is no event to write records of")
	}
	for _, e := range events {
		if len(e.Attr) < attrSizeLeast || len(e.Attr) != len(events[0].Attr) || int(binary.NativeEndian.Uint32(e.Attr[attrSizeAt:])) != len(e.Attr) {
			return nil, fmt.Errorf("writing perf.data: the attributes of %s have %d bytes, which is not what they say, or not what others have", e.Name, len(e.Attr))
		}
	}
	if attr := events[0].Attr; binary.NativeEndian.Uint64(attr[attrBitsAt:])&flagSampleIDAll != 0 {
		for _, bit := range sampleIDs {
			if binary.NativeEndian.Uint64(attr[attrSampleAt:])&bit != 0 {
				w.suffix = append(w.suffix, make([]byte, 8)...)
			}
		}
	}
	head := w.head()
	w.start = int64(len(head))
	if _, err := out.Write(head); err != nil {
		return nil, fmt.Errorf("writing the header of perf.data: %w", err)
	}
	return w, nil
}

// head is all before the records: the header, the ids, and the events that refer to them.
func (w *Writer) head() []byte {
	attrSize := len(w.events[0].Attr) + sectionSize
	ids := 0
	for _, e := range w.events {
		ids += len(e.IDs)
	}
	attrs := headerSize + 8*ids
	start := attrs + attrSize*len(w.events)

	b := append(make([]byte, 0, start), magic...)
	b = numbers(b, headerSize, uint64(attrSize))
	b = numbers(b, uint64(attrs), uint64(attrSize*len(w.events)))
	b = numbers(b, uint64(start), uint64(w.size))
	b = numbers(b, 0, 0) // the event types of old perfs
	b = numbers(b, 1<<featureArch|1<<featureEvents, 0, 0, 0)
	for _, e := range w.events {
		b = numbers(b, e.IDs...)
	}
	at := headerSize
	for _, e := range w.events {
		b = numbers(append(b, e.Attr...), uint64(at), uint64(8*len(e.IDs)))
		at += 8 * len(e.IDs)
	}
	return b
}

func numbers(b []byte, all ...uint64) []byte {
	for _, v := range all {
		b = binary.NativeEndian.AppendUint64(b, v)
	}
	return b
}

// Write adds records, or parts of them: what comes in order is joined in order.
func (w *Writer) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	w.size += int64(n)
	return n, err
}

// FinishedRound says that what comes later is younger than what the round before this one
// brought. Readers that order records by their time need to keep no more than two rounds.
func (w *Writer) FinishedRound() error { return w.record(recFinishedRound, 0, nil, false) }

// KernelText says where the kernel's code begins (_text in /proc/kallsyms). The kernel
// reports the mappings of processes, and not its own.
func (w *Writer) KernelText(start uint64) error {
	const name = "[kernel.kallsyms]_text\x00"
	all := uint64(1<<32 - 1)                                // the process id and the thread id: -1
	body := numbers(nil, all<<32|all, start, ^start, start) // the length goes to the end of the address space
	return w.record(recMmap, miscKernel, append(body, name...), true)
}

// LostSamples says how many samples the kernel had no room for, in all; its own records
// tell only of those after which there was room again.
func (w *Writer) LostSamples(n uint64) error {
	return w.record(recLostSamples, 0, numbers(nil, n), true)
}

// record writes a record of our own making. That of the kernel ends with a sample_id.
func (w *Writer) record(kind uint32, misc uint16, body []byte, ofKernel bool) error {
	if ofKernel {
		body = append(body, w.suffix...)
	}
	b := binary.NativeEndian.AppendUint32(nil, kind)
	b = binary.NativeEndian.AppendUint16(b, misc)
	b = binary.NativeEndian.AppendUint16(b, uint16(8+len(body)))
	if _, err := w.Write(append(b, body...)); err != nil {
		return fmt.Errorf("writing a record of perf.data: %w", err)
	}
	return nil
}

// Finish writes what stands behind the records, and then the header with their size. It
// does not close the file.
func (w *Writer) Finish() error {
	features := [][]byte{text(nil, w.arch), w.describe()} // in the order of their bits
	at := w.start + w.size + int64(sectionSize*len(features))
	var b []byte
	for _, f := range features {
		b = numbers(b, uint64(at), uint64(len(f)))
		at += int64(len(f))
	}
	for _, f := range features {
		b = append(b, f...)
	}
	if _, err := w.out.Write(b); err != nil {
		return fmt.Errorf("writing the features of perf.data: %w", err)
	}
	if _, err := w.out.WriteAt(w.head(), 0); err != nil {
		return fmt.Errorf("writing the header of perf.data: %w", err)
	}
	return nil
}

// describe is HEADER_EVENT_DESC: the events once more, with their names.
func (w *Writer) describe() []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(len(w.events)))
	b = binary.NativeEndian.AppendUint32(b, uint32(len(w.events[0].Attr)))
	for _, e := range w.events {
		b = append(b, e.Attr...)
		b = binary.NativeEndian.AppendUint32(b, uint32(len(e.IDs)))
		b = numbers(text(b, e.Name), e.IDs...)
	}
	return b
}

// text adds a string as the format has them: its size, then itself, filled up with zeros.
func text(b []byte, s string) []byte {
	size := (len(s)/stringAlign + 1) * stringAlign
	b = binary.NativeEndian.AppendUint32(b, uint32(size))
	return append(append(b, s...), make([]byte, size-len(s))...)
}
