package perfdata

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// attrOf is an event's attributes: cpu-clock with a sample type, of the given size.
func attrOf(size int, sampleType, flags uint64) []byte {
	b := make([]byte, size)
	binary.NativeEndian.PutUint32(b, kindSoftware)
	binary.NativeEndian.PutUint32(b[attrSizeAt:], uint32(size))
	binary.NativeEndian.PutUint64(b[attrSampleAt:], sampleType)
	binary.NativeEndian.PutUint64(b[attrBitsAt:], flags)
	return b
}

// smallRecording is a recording with two samples in different rounds, and a loss.
func smallRecording(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "perf.data"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	event := EventAttr{attrOf(112, sampleIdentifier|sampleIP|sampleTID|sampleTime|samplePeriod, flagSampleIDAll), []uint64{7, 8}, "cpu-clock"}
	w, err := NewWriter(f, "x86_64", event)
	if err != nil {
		t.Fatal(err)
	}
	sample := func(id, time uint64) []byte {
		body := numbers(nil, id, 0x1000, 5<<32|5, time, 1_000_000)
		head := binary.NativeEndian.AppendUint32(nil, recSample)
		head = binary.NativeEndian.AppendUint16(head, 2) // in the user's mode
		return append(binary.NativeEndian.AppendUint16(head, uint16(8+len(body))), body...)
	}
	first := sample(7, 100)
	for _, step := range []func() error{
		func() error { return w.KernelText(0xffffffff81000000) },
		func() error { _, err := w.Write(first[:20]); return err }, // as at the end of a ring
		func() error { _, err := w.Write(first[20:]); return err },
		w.FinishedRound,
		func() error { _, err := w.Write(sample(8, 200)); return err },
		w.FinishedRound,
		func() error { return w.LostSamples(3) },
		w.Finish,
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// TestWriter reads what was written.
func TestWriter(t *testing.T) {
	f := smallRecording(t)
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	r, err := Read(f, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var weight int64
	for _, s := range r.Profile.Sample {
		weight += s.Value[1]
	}
	if r.Event != "cpu-clock" || r.Samples != 2 || weight != 2_000_000 || r.Lost != 3 || r.Faulty != 0 || r.UnknownRecords != 0 || r.Profile.SampleType[1].Unit != "nanoseconds" {
		t.Errorf("%+v, weight %d", r, weight)
	}
	// Without Finish the header says that there is nothing behind it; with it all is said.
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if n := binary.NativeEndian.Uint64(b[48:]); n == 0 || !bytes.Contains(b[104:], []byte("x86_64\x00")) {
		t.Errorf("%d bytes of records, or no architecture", n)
	}
}

// TestWriterRefuses checks that attributes which cannot be written are refused.
func TestWriterRefuses(t *testing.T) {
	out, err := os.Create(filepath.Join(t.TempDir(), "perf.data"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	lying := attrOf(112, 0, 0)
	lying[attrSizeAt] = 64
	for name, events := range map[string][]EventAttr{
		"no event":  nil,
		"too short": {{Attr: make([]byte, 32)}},
		"a lie":     {{Attr: lying}},
		"two sizes": {{Attr: attrOf(112, 0, 0)}, {Attr: attrOf(120, 0, 0)}},
	} {
		if _, err := NewWriter(out, "x86_64", events...); err == nil || !strings.Contains(err.Error(), "writing perf.data") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// failing fails from a write on.
type failing struct {
	*os.File
	left int
}

var errFull = errors.New("full")

func (f *failing) Write(p []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, errFull
	}
	return f.File.Write(p)
}

// TestWriterFails checks that no failure of the file is passed over.
func TestWriterFails(t *testing.T) {
	for n := range 4 {
		out, err := os.Create(filepath.Join(t.TempDir(), "perf.data"))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		err = func() error {
			w, err := NewWriter(&failing{out, n}, "x86_64", EventAttr{Attr: attrOf(112, 0, 0)})
			if err != nil {
				return err
			}
			return errors.Join(w.FinishedRound(), w.LostSamples(1), w.Finish())
		}()
		if !errors.Is(err, errFull) {
			t.Errorf("write %d fails, and the error is %v", n, err)
		}
	}
}
