// Package benchio reads the results of other benchmark tools, and writes results in
// their formats: the Go benchmark format, Criterion's target/criterion, hyperfine's JSON,
// github-action-benchmark's JSON and history, and Bencher Metric Format.
//
// [Read] recognises a file by its content, [ReadCriterion] walks a tree; both give
// [Run] values, of which perf/targets makes a [perf.Result]. Every metric of a file is
// kept, in base units, the unit that stood there beside it (see [perf.Series]). A
// benchmark that occurs more than once has more than one sample, in the order of the
// file. The direction of a metric follows from what the file says of it, or else from
// its unit.
//
// A bad line, or a bad element of a JSON document, is a fault with its position and
// ends nothing: the rest is read. Whoever calls shows [Import.Faults] and
// [Import.UnknownKeys] and fails at the end, because what is missing might be what
// mattered.
//
// The package computes no statistic and opens no file. Results in the project's own
// JSON are read by [perf.DecodeResult].
package benchio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/seanchatmangpt/clnrm-perf/perf"
)

// A Format is what a file was recognised as.
type Format string

// The formats that can be read.
const (
	Go        Format = "Go benchmark format"
	Criterion Format = "Criterion"
	Hyperfine Format = "hyperfine JSON"
	Custom    Format = "github-action-benchmark JSON"
	History   Format = "github-action-benchmark history"
	Bencher   Format = "Bencher Metric Format"
)

// Options are what a file does not say. The zero value asks for nothing.
type Options struct {
	// Better is the direction of units, by their names as the file writes them or in
	// base units. It wins over everything else.
	Better map[string]perf.Better
}

// A Run is what one run of a benchmark tool measured.
type Run struct {
	// Workloads are the benchmarks, in the order of the file, all of [perf.StateOK].
	// A series has a summary only where the file states an interval and a single value;
	// [perf.Summary.Confidence] is 0 then.
	Workloads []perf.WorkloadResult
	// Machine is what the file says of the machine: its OS, architecture and CPU. The
	// fields that it does not name are empty, the fingerprint always.
	Machine perf.Machine
	// Commit and Created are empty where the file does not say.
	Commit  string
	Created time.Time
	// Warnings are about the file as a whole, as a CPU that changes in its middle.
	Warnings []perf.Warning
}

// An Import is what was read of one file or tree.
type Import struct {
	Format Format
	// Runs are in the order of time. Only [History] has more than one; there is none
	// where the file holds no result.
	Runs []Run
	// Faults are what is wrong with the file, at most [MaxFaults] of them, in its order;
	// MoreFaults counts the others.
	Faults     []*perf.SyntaxError
	MoreFaults int
	// UnknownKeys are the keys of a JSON document that no version of its tool has, as far
	// as is known here; each is listed once. What stands under them was left out, which
	// may have mattered; but no value under a known key is missing because of them. There
	// are at most [MaxFaults] of them, too, and MoreFaults counts the others.
	UnknownKeys []*perf.SyntaxError
}

// MaxFaults bounds how many faults are kept of one file.
const MaxFaults = 1000

// fault notes what is wrong at a line of the file.
func (im *Import) fault(file string, line int, format string, args ...any) {
	im.note(&im.Faults, &perf.SyntaxError{File: file, Line: line, Msg: fmt.Sprintf(format, args...)})
}

// note appends to a list that is bounded.
func (im *Import) note(list *[]*perf.SyntaxError, f *perf.SyntaxError) {
	if len(*list) == MaxFaults {
		im.MoreFaults++
		return
	}
	*list = append(*list, f)
}

// Read reads a file of any of the formats but Criterion's, which is a tree. The name of
// the file is for faults. The error is that of reading from r; whatever is wrong with
// what was read is in the faults. Line ends of Windows, byte-order marks and UTF-16, in
// which Windows PowerShell writes the output of a command, do no harm.
func Read(r io.Reader, file string, o Options) (*Import, error) {
	buf, err := unmarked(r)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	switch first := firstByte(buf); first {
	case '{', '[', 'w':
		if first == 'w' && !startsWith(buf, dataPrefix) {
			break
		}
		data, err := io.ReadAll(buf)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		return readJSON(data, file, o), nil
	}
	return readGo(buf, file, o)
}

// sniffed is how much of a file is looked at to recognise it.
const sniffed = 4096

// unmarked returns a reader of r's text as UTF-8 without a byte-order mark.
func unmarked(r io.Reader) (*bufio.Reader, error) {
	buf := bufio.NewReaderSize(r, sniffed)
	mark, err := buf.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.Equal(mark, []byte("\ufeff")):
		_, err = buf.Discard(len(mark))
		return buf, err
	case bytes.HasPrefix(mark, []byte{0xff, 0xfe}):
		return fromUTF16(buf, binary.LittleEndian)
	case bytes.HasPrefix(mark, []byte{0xfe, 0xff}):
		return fromUTF16(buf, binary.BigEndian)
	}
	return buf, nil
}

// fromUTF16 decodes a text whole.
func fromUTF16(r io.Reader, order binary.ByteOrder) (*bufio.Reader, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	units := make([]uint16, 0, len(data)/2)
	for data = data[2:]; len(data) >= 2; data = data[2:] {
		units = append(units, order.Uint16(data))
	}
	var text []byte
	for _, c := range utf16.Decode(units) {
		text = utf8.AppendRune(text, c)
	}
	return bufio.NewReader(bytes.NewReader(text)), nil
}

// firstByte is the first byte that is no white space, as far as one is near.
func firstByte(buf *bufio.Reader) byte {
	head, _ := buf.Peek(sniffed) // a shorter file is looked at whole
	head = bytes.TrimLeft(head, " \t\r\n")
	if len(head) == 0 {
		return 0
	}
	return head[0]
}

func startsWith(buf *bufio.Reader, prefix string) bool {
	head, _ := buf.Peek(sniffed)
	return bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte(prefix))
}
