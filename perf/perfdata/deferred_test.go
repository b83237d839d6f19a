package perfdata

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// chained is a sample with a call chain as it is given, marks and all.
func (w *written) chained(misc uint16, pid, tid uint32, time uint64, chain ...uint64) *written {
	body := longs(1, 0x1001, uint64(tid)<<32|uint64(pid), time, 1, 10, uint64(len(chain)))
	return w.record(recSample, misc, append(body, longs(chain...)...))
}

// userPart is the record with what a sample has left for later.
func (w *written) userPart(pid, tid uint32, time, cookie uint64, chain ...uint64) *written {
	return w.record(recCallchainDeferred, 0, slices.Concat(longs(cookie, uint64(len(chain))), longs(chain...), ending(pid, tid, time)))
}

// TestDeferredCallChains: the program's part of a call chain comes later, in a record of
// its own, for several samples at once.
func TestDeferredCallChains(t *testing.T) {
	w := new(written)
	w.comm(5, 5, 0, 0, "x").mmap2(5, 0, 0x1000, 0x3000, 0, "/bin/x")
	w.record(recFork, 0, slices.Concat(longs(5<<32|5, 5<<32|6, 1), ending(5, 5, 1))) // thread 6
	w.chained(miscKernel, 5, 5, 10, contextKernel, 0xffffffff81000010, contextUserDeferred, 77)
	w.chained(miscKernel, 5, 5, 11, contextKernel, 0xffffffff81000020, contextUserDeferred, 77)
	w.chained(miscKernel, 5, 6, 12, contextKernel, 0xffffffff81000030, contextUserDeferred, 77) // of another thread
	w.chained(miscUser, 5, 5, 13, contextUserDeferred, 78)
	w.userPart(5, 5, 14, 77, contextUser, 0x1100, 0x1201, 0x1301)
	w.userPart(5, 5, 15, 78, contextUser, 0x1400, 0x1501)
	w.userPart(5, 5, 16, 99, contextUser, 0x1600) // nobody waits for it
	w.chained(miscUser, 5, 5, 17, contextUserDeferred, 79)
	r := readBytes(t, w.pipe(), Options{})
	wantStacks(t, r,
		"x;[x]+300;[x]+200;[x]+100;[[kernel.kallsyms]]+ffffffff81000010 10",
		"x;[x]+300;[x]+200;[x]+100;[[kernel.kallsyms]]+ffffffff81000020 10",
		"x;[[kernel.kallsyms]]+ffffffff81000030 10",
		"x;[x]+500;[x]+400 10",
		"x;[x]+1 10", // only its own address is known
	)
	if r.Samples != 5 || r.UnknownRecords != 0 || r.Faulty != 0 {
		t.Errorf("%d samples, %d unknown records, faults %v", r.Samples, r.UnknownRecords, r.Faults)
	}
	if !strings.Contains(strings.Join(r.Notes, "\n"), "2 samples have no callers of the program") {
		t.Errorf("the notes %q do not tell of what never came", r.Notes)
	}
	w.record(recCallchainDeferred, 0, longs(77, 1000)).record(recCallchainDeferred, 0, longs(77))
	if r := readBytes(t, w.pipe(), Options{}); r.Faulty != 2 {
		t.Errorf("two records that are too short are the faults %v", r.Faults)
	}
}

// TestFolder: perf record --threads writes a folder.
func TestFolder(t *testing.T) {
	f, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := Read(f, Options{Open: noFiles}); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "without --threads") {
		t.Errorf("%v does not say what to do", err)
	}
}

// TestUnwindNotes: what was wrong with unwind information is told.
func TestUnwindNotes(t *testing.T) {
	c := newCollector(Options{Open: noFiles})
	c.world.images.all = []*image{{path: "/bin/whole"}, {path: "/bin/broken", tableErr: errors.New("section .eh_frame: cut off")}}
	c.walker.fault = &frameError{".debug_frame", 0x20, errors.New("no such rule")}
	notes := strings.Join(c.unwindNotes(), "\n")
	for _, want := range []string{"/bin/broken", "cut off", ".debug_frame", "0x20", "no such rule"} {
		if !strings.Contains(notes, want) {
			t.Errorf("%q does not tell of %s", notes, want)
		}
	}
	if strings.Contains(notes, "whole") {
		t.Errorf("%q tells of a file that has nothing wrong", notes)
	}
}
