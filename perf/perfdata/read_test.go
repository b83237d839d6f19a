package perfdata

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/klauspost/compress/zstd"
)

// written is a recording that a test makes, record by record. Its samples have what
// wroteSamples says, and its other records end with the same (sample_id_all).
type written struct {
	b []byte
}

const wroteSamples = sampleIdentifier | sampleIP | sampleTID | sampleTime | sampleCPU | samplePeriod | sampleCallchain

func (w *written) record(kind uint32, misc uint16, body []byte) *written {
	for len(body)%8 != 0 {
		body = append(body, 0)
	}
	w.b = binary.LittleEndian.AppendUint32(w.b, kind)
	w.b = binary.LittleEndian.AppendUint16(w.b, misc)
	w.b = binary.LittleEndian.AppendUint16(w.b, uint16(recordHeader+len(body)))
	w.b = append(w.b, body...)
	return w
}

func longs(all ...uint64) (b []byte) {
	for _, v := range all {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

// ending is what other records end with: thread, time, CPU, identifier.
func ending(pid, tid uint32, time uint64) []byte {
	return longs(uint64(tid)<<32|uint64(pid), time, 0, 1)
}

// padded is a path or a name in a record.
func padded(s string) []byte { return append([]byte(s), make([]byte, 8-len(s)%8)...) }

func (w *written) comm(pid, tid uint32, time uint64, misc uint16, name string) *written {
	return w.record(recComm, misc, slices.Concat(longs(uint64(tid)<<32|uint64(pid)), padded(name), ending(pid, tid, time)))
}

func (w *written) fork(pid, ppid uint32, time uint64) *written {
	return w.record(recFork, 0, slices.Concat(longs(uint64(ppid)<<32|uint64(pid), uint64(ppid)<<32|uint64(pid), time), ending(ppid, ppid, time)))
}

func (w *written) mmap2(pid uint32, time, start, size, offset uint64, path string) *written {
	head := longs(uint64(pid)<<32|uint64(pid), start, size, offset, 0, 0, 0, 2<<32|protExec)
	return w.record(recMmap2, 0, slices.Concat(head, padded(path), ending(pid, pid, time)))
}

func (w *written) sample(pid, tid uint32, time, id uint64, ips ...uint64) *written {
	body := longs(id, ips[0], uint64(tid)<<32|uint64(pid), time, 1, 10, uint64(len(ips)+1), contextUser)
	return w.record(recSample, miscUser, append(body, longs(ips...)...))
}

func (w *written) round() *written { return w.record(recFinishedRound, 0, nil) }

// wroteAttr is perf_event_attr of the test's events.
func wroteAttr(kind uint32, config uint64) []byte {
	b := make([]byte, 136)
	binary.LittleEndian.PutUint32(b, kind)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
	copy(b[8:], longs(config, 1000, wroteSamples))
	binary.LittleEndian.PutUint64(b[40:], flagSampleIDAll)
	return b
}

// pipe is the recording in the form of perf record -o -, with events cpu-clock (id 1) and
// page-faults (id 2).
func (w *written) pipe() []byte {
	p := &written{b: append([]byte(fileMagic), longs(pipeHeaderSize)...)}
	p.record(recHeaderAttr, 0, append(wroteAttr(kindSoftware, 0), longs(1)...))
	p.record(recHeaderAttr, 0, append(wroteAttr(kindSoftware, 2), longs(2)...))
	return append(p.b, w.b...)
}

// file is the recording as a file.
func (w *written) file() []byte {
	attrs := []byte{}
	for i, config := range []uint64{0, 2} {
		attrs = slices.Concat(attrs, wroteAttr(kindSoftware, config), longs(fileHeaderSize+uint64(8*i), 8))
	}
	const attrsAt = fileHeaderSize + 16
	dataAt := attrsAt + uint64(len(attrs))
	arch := append([]byte{64, 0, 0, 0}, append([]byte("x86_64"), make([]byte, 58)...)...)
	b := append([]byte(fileMagic), longs(fileHeaderSize, 152, attrsAt, uint64(len(attrs)), dataAt, uint64(len(w.b)), 0, 0, 1<<featArch, 0, 0, 0)...)
	b = slices.Concat(b, longs(1, 2), attrs, w.b)
	return slices.Concat(b, longs(uint64(len(b))+16, uint64(len(arch))), arch)
}

// noFiles is an Opener of a machine without any.
func noFiles(path string) (File, error) {
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

// onlyReader hides that something can be read at any place.
type onlyReader struct{ io.Reader }

// readBytes reads a recording, both ways, which have to agree.
func readBytes(t *testing.T, b []byte, o Options) *Recording {
	t.Helper()
	if o.Open == nil {
		o.Open = noFiles
	}
	r, err := Read(bytes.NewReader(b), o)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Read(onlyReader{bytes.NewReader(b)}, o)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := stacksOf(again.Profile), stacksOf(r.Profile); got != want {
		t.Errorf("as a stream it reads\n%s\nand as a file\n%s", got, want)
	}
	return r
}

// stacksOf is a profile as text: a line for each sample, from the root on.
func stacksOf(p *profile.Profile) string {
	var lines []string
	for _, s := range p.Sample {
		var b strings.Builder
		b.WriteString(s.Label["comm"][0])
		for _, key := range []string{"pid", "tid"} {
			if v := s.Label[key]; len(v) > 0 {
				b.WriteString("/" + v[0])
			}
		}
		for _, l := range slices.Backward(s.Location) {
			fmt.Fprintf(&b, ";%s+%x", l.Line[0].Function.Name, l.Address)
		}
		lines = append(lines, fmt.Sprintf("%s %d", b.String(), s.Value[1]))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func wantStacks(t *testing.T, r *Recording, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := stacksOf(r.Profile); got != strings.Join(want, "\n") {
		t.Errorf("the stacks are\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// TestAddressSpaces checks that a sample is of what was mapped at its time: through fork,
// exec, a mapping over another one, and records that stand behind those that need them.
func TestAddressSpaces(t *testing.T) {
	w := new(written)
	w.comm(5, 5, 0, 0, "parent").mmap2(5, 0, 0x1000, 0x3000, 0, "/bin/parent").mmap2(5, 0, 0x8000, 0x1000, 0x100, "/lib/a.so")
	w.sample(5, 5, 10, 1, 0x1010, 0x8021).round()
	// The child's samples come from the buffer of another CPU, before the records of the
	// fork and of what it maps.
	w.sample(6, 6, 25, 1, 0x1020).sample(6, 6, 45, 1, 0x1020).sample(6, 6, 65, 1, 0x2020).sample(6, 6, 66, 1, 0x3500)
	w.fork(6, 5, 20).comm(6, 6, 30, miscCommExec, "child").mmap2(6, 40, 0x1000, 0x4000, 0x500, "/bin/child")
	w.mmap2(6, 60, 0x2000, 0x1000, 0, "/lib/b.so").sample(5, 5, 61, 1, 0x2020).round()
	w.sample(6, 6, 70, 1, 0x9000).round()
	for form, b := range map[string][]byte{"pipe": w.pipe(), "file": w.file()} {
		t.Run(form, func(t *testing.T) {
			r := readBytes(t, b, Options{})
			if r.Event != "cpu-clock" || r.Samples != 7 || r.Faulty != 0 {
				t.Errorf("%d samples of %s, faults %v", r.Samples, r.Event, r.Faults)
			}
			wantStacks(t, r,
				"parent;[a.so]+120;[parent]+10 10", // the caller's address is within the call
				"parent;[parent]+20 10",            // the child before it begins the new program
				"child;[child]+520 10",
				"child;[b.so]+20 10",
				"child;[child]+2a00 10", // behind what was mapped over it
				"parent;[parent]+1020 10",
				"child;[unknown]+9000 10",
			)
			if r.Profile.SampleType[1].Type != "cpu" || r.Profile.SampleType[1].Unit != "nanoseconds" {
				t.Errorf("the samples cost %v", r.Profile.SampleType[1])
			}
		})
	}
}

// TestExecSamples checks that a sample within the call that begins another program is of
// the old one.
func TestExecSamples(t *testing.T) {
	w := new(written)
	w.comm(5, 5, 0, 0, "old").mmap2(5, 0, 0x1000, 0x1000, 0, "/lib/libc.so").comm(5, 5, 10, miscCommExec, "new").mmap2(5, 11, 0x5000, 0x1000, 0, "/bin/new")
	w.record(recSample, miscKernel, longs(1, 0, 5<<32|5, 12, 0, 10, 2, contextUser, 0x1010))
	w.sample(5, 5, 13, 1, 0x5010).record(recSample, miscKernel, longs(1, 0, 5<<32|5, 14, 0, 10, 2, contextUser, 0x1010))
	wantStacks(t, readBytes(t, w.pipe(), Options{}), "new;[libc.so]+10 10", "new;[new]+10 10", "new;[unknown]+1010 10")
}

func TestSeveralEvents(t *testing.T) {
	w := new(written)
	w.comm(5, 5, 0, 0, "x").mmap2(5, 0, 0x1000, 0x1000, 0, "/bin/x")
	w.sample(5, 5, 1, 1, 0x1001).sample(5, 5, 2, 2, 0x1002).sample(5, 5, 3, 1, 0x1003).sample(5, 5, 4, 99, 0x1004)
	r := readBytes(t, w.pipe(), Options{})
	wantStacks(t, r, "x;[x]+1 10", "x;[x]+3 10")
	if fmt.Sprint(r.Others) != "[page-faults]" || r.Faulty != 1 || !strings.Contains(r.Faults[0].Msg, "no event") {
		t.Errorf("others %v, faults %v", r.Others, r.Faults)
	}
	r = readBytes(t, w.file(), Options{Event: "page-faults:u", Threads: true})
	wantStacks(t, r, "x/5/5;[x]+2 10")
	if s := r.Profile.SampleType[1]; s.Type != "page-faults" || s.Unit != "count" {
		t.Errorf("the samples cost %v", s)
	}
	if _, err := Read(bytes.NewReader(w.pipe()), Options{Event: "cycles", Open: noFiles}); err == nil || !strings.Contains(err.Error(), `["cpu-clock" "page-faults"]`) {
		t.Errorf("%v does not say which events there are", err)
	}
}

// TestBesideSamples checks what is counted and skipped.
func TestBesideSamples(t *testing.T) {
	w := new(written)
	w.record(200, 0, longs(1)).record(recLost, 0, append(longs(1, 7), ending(5, 5, 1)...)).record(recThrottle, 0, longs(1, 2, 3))
	w.record(recTracingData, 0, longs(13)) // 13 bytes follow, filled up to 16
	w.b = append(w.b, "0123456789abc\x00\x00\x00"...)
	w.record(recAuxtrace, 0, longs(5, 0, 0, 0, 0))
	w.b = append(w.b, "12345"...)
	w.comm(5, 5, 0, 0, "x").sample(5, 5, 2, 1, 0x1000).record(recMmap2, 0, longs(1))
	r := readBytes(t, w.pipe(), Options{})
	wantStacks(t, r, "x;[unknown]+1000 10")
	if r.UnknownRecords != 1 || r.Lost != 7 || r.Throttled != 1 || r.Faulty != 1 {
		t.Errorf("%d unknown records, %d lost, %d times throttled, faults %v", r.UnknownRecords, r.Lost, r.Throttled, r.Faults)
	}
}

// TestTruncated cuts a recording off at every byte: what is whole is read, and what is
// missing is said.
func TestTruncated(t *testing.T) {
	w := new(written)
	w.comm(5, 5, 0, 0, "x").mmap2(5, 0, 0x1000, 0x1000, 0, "/bin/x")
	var ends []int // of the samples
	for i := range 3 {
		w.sample(5, 5, uint64(i+1), 1, 0x1000+uint64(i)).round()
		ends = append(ends, len(w.b)-recordHeader)
	}
	for form, b := range map[string][]byte{"pipe": w.pipe(), "file": w.file()} {
		begin := bytes.Index(b, w.b)
		for n := range begin + len(w.b) {
			r, err := Read(bytes.NewReader(b[:n]), Options{Open: noFiles})
			want := int64(0)
			for _, end := range ends {
				if begin+end <= n {
					want++
				}
			}
			if want == 0 {
				if err == nil {
					t.Fatalf("%s: %d bytes of it have no sample, and read without an error", form, n)
				}
				continue
			}
			if err != nil || r.Samples != want {
				t.Fatalf("%s: %d bytes of it: %v, want %d samples", form, n, err, want)
			}
			if form == "file" && (r.Faulty == 0 || !strings.Contains(fmt.Sprint(r.Faults), "missing")) {
				t.Fatalf("%s: %d bytes of it: nothing says what is missing: %v", form, n, r.Faults)
			}
		}
	}
	b := w.file()
	b = b[:bytes.Index(b, w.b)+ends[1]+13]
	r := readBytes(t, b, Options{})
	if want := fmt.Sprintf("at offset %#x", len(b)); !strings.Contains(fmt.Sprint(r.Faults), want) {
		t.Errorf("%v does not say %q", r.Faults, want)
	}
}

// TestNotEnded reads a file whose header was never finished, as perf leaves it when it is
// killed.
func TestNotEnded(t *testing.T) {
	w := new(written).comm(5, 5, 0, 0, "x").sample(5, 5, 1, 1, 0x1000)
	b := w.file()
	copy(b[48:], longs(0)) // the size of the records
	b = b[:bytes.Index(b, w.b)+len(w.b)]
	r := readBytes(t, b, Options{})
	wantStacks(t, r, "x;[unknown]+1000 10")
	if !strings.Contains(fmt.Sprint(r.Faults), "killed") {
		t.Errorf("nothing says that it was not ended: %v", r.Faults)
	}
}

// TestCompressed reads records in a stream of zstd which is cut into records anywhere.
func TestCompressed(t *testing.T) {
	plain := new(written)
	want := []string{}
	plain.comm(5, 5, 0, 0, "x").mmap2(5, 0, 0, 1<<40, 0, "/bin/x")
	for i := range 6000 {
		plain.sample(5, 5, uint64(i+1), 1, uint64(4096+i))
		want = append(want, fmt.Sprintf("x;[x]+%x 10", 4096+i))
	}
	for _, kind := range []uint32{recCompressed, recCompressed2} {
		for _, piece := range []int{300, 60_000} {
			w := new(written)
			var packed bytes.Buffer
			z, err := zstd.NewWriter(&packed)
			if err != nil {
				t.Fatal(err)
			}
			for b := plain.b; len(b) > 0; {
				n := min(piece*20, len(b))
				if _, err := z.Write(b[:n]); err != nil {
					t.Fatal(err)
				}
				if err := z.Flush(); err != nil {
					t.Fatal(err)
				}
				b = b[n:]
				for packed.Len() > 0 {
					part := packed.Next(piece)
					w.compressed(kind, part)
				}
				w.round()
			}
			r := readBytes(t, w.pipe(), Options{})
			wantStacks(t, r, want...)
			if r.Faulty != 0 {
				t.Error(r.Faults)
			}
		}
	}
}

func (w *written) compressed(kind uint32, part []byte) {
	if kind == recCompressed2 {
		w.record(kind, 0, append(longs(uint64(len(part))), part...))
		return
	}
	// The older kind is of any size, so what follows is not aligned.
	w.b = binary.LittleEndian.AppendUint32(w.b, kind)
	w.b = binary.LittleEndian.AppendUint16(w.b, 0)
	w.b = binary.LittleEndian.AppendUint16(w.b, uint16(recordHeader+len(part)))
	w.b = append(w.b, part...)
}

// TestOffCPU checks that a sample costs the time until its thread runs again.
func TestOffCPU(t *testing.T) {
	w := new(written)
	w.comm(5, 5, 0, 0, "x").mmap2(5, 0, 0x1000, 0x1000, 0, "/bin/x")
	at := func(kind uint32, misc uint16, time uint64) { w.record(kind, misc, ending(5, 5, time)) }
	at(recSwitch, 0, 5) // it was recorded from its middle on
	w.sample(5, 5, 10, 1, 0x1001)
	at(recSwitch, miscSwitchOut, 11)
	at(recSwitch, 0, 110)
	w.sample(5, 5, 200, 1, 0x1002)
	at(recSwitch, miscSwitchOut|miscSwitchPreempt, 201)
	at(recSwitch, 0, 260)
	w.sample(5, 5, 300, 1, 0x1003)
	r := readBytes(t, w.pipe(), Options{OffCPU: true})
	wantStacks(t, r, "x;[x]+1 100")
	if r.Waits != (Waits{Blocked: 100, Preempted: 60, Open: 1}) || r.Profile.SampleType[1].Type != "off-cpu" {
		t.Errorf("%+v of %v", r.Waits, r.Profile.SampleType[1])
	}
}

// TestRefused checks that what is not read says so.
func TestRefused(t *testing.T) {
	for _, tc := range []struct {
		name, data, want string
		unsupported      bool
	}{
		{"nothing", "", "cut off", false},
		{"another file", "\x7fELF0123456789abcdef", "no recording of perf", false},
		{"big endian", otherMagic + string(make([]byte, 100)), "big-endian", true},
		{"an old one", oldMagic + string(make([]byte, 100)), "Linux 3.2", true},
		{"a header of no size", fileMagic + string(longs(50)), "at offset 8", false},
		{"attributes of no size", fileMagic + string(longs(104, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)), "at offset 0x10", false},
		{"a record without a size", fileMagic + string(longs(16, 9)), "at offset 0x10", false},
		{"no sample", fileMagic + string(longs(16)), "no sample", false},
	} {
		_, err := Read(strings.NewReader(tc.data), Options{Open: noFiles})
		if err == nil || !strings.Contains(err.Error(), tc.want) || errors.Is(err, ErrUnsupported) != tc.unsupported {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

// TestQueueIsBounded puts many records in without a mark between them.
func TestQueueIsBounded(t *testing.T) {
	var q queue
	c := &chunk{refs: math.MaxInt32}
	data := make([]byte, 60_000)
	var last, n uint64
	take := func(r record) {
		n++
		if at := uint64(r.offset); at < last {
			t.Fatalf("the record of time %d comes after %d", at, last)
		} else {
			last = at
		}
	}
	const all = 5 * maxHeld / 60_000
	for i := range uint64(all) {
		time := 100 + i ^ 7 // somewhat out of order
		q.push(record{data: data, chunk: c, offset: int64(time)}, time)
		if q.full() {
			q.relieve(take)
		}
		if q.held > maxHeld+len(data)+queuedSize {
			t.Fatalf("%d bytes are held", q.held)
		}
	}
	q.flush(math.MaxUint64, take)
	if n != all || q.late != 0 {
		t.Errorf("%d records of %d came out, %d of them late", n, all, q.late)
	}
}

// FuzzRead holds the reader against any bytes: no panic, and what it gives is a profile.
func FuzzRead(f *testing.F) {
	w := new(written)
	w.comm(5, 5, 0, 0, "parent").mmap2(5, 0, 0x1000, 0x3000, 0, "/bin/parent").sample(5, 5, 10, 1, 0x1010, 0x1021).round()
	w.fork(6, 5, 20).comm(6, 6, 30, miscCommExec, "child").mmap2(6, 40, 0x1000, 0x4000, 0x500, "//anon").sample(6, 6, 45, 1, 0x1020).round()
	f.Add(w.pipe())
	f.Add(w.file())
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := z.Write(w.b); err != nil {
		f.Fatal(err)
	}
	if err := z.Flush(); err != nil {
		f.Fatal(err)
	}
	c := new(written)
	c.compressed(recCompressed, packed.Bytes())
	f.Add(c.pipe())
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, o := range []Options{{Open: noFiles}, {Open: noFiles, OffCPU: true, Threads: true, CPUs: true}} {
			r, err := Read(bytes.NewReader(b), o)
			if err != nil {
				continue
			}
			if err := r.Profile.CheckValid(); err != nil {
				t.Fatal(err)
			}
			var n int64
			for _, s := range r.Profile.Sample {
				n += s.Value[0]
			}
			if n != r.Samples {
				t.Fatalf("%d samples in the stacks, %d were read", n, r.Samples)
			}
		}
	})
}
