package perfdata

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const kallsymsText = `0000000000000000 A fixed_percpu_data
ffffffff81000000 T srso_alias_untrain_ret
ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000100 t do_one_initcall
ffffffff81000200 W weak_one
ffffffff81000200 T strong_one
ffffffff81000300 D some_data
ffffffff81000400 t last_of_kernel
ffffffffc0000000 t nft_init	[nf_tables]
ffffffffc0000100 t nft_exit	[nf_tables]
ffffffffc0010000 t bpf_prog_6deef7357e7b4530	[bpf]
`

func TestKallsyms(t *testing.T) {
	k, err := readKallsyms(strings.NewReader(kallsymsText), 0)
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[uint64]string{
		0xffffffff80ffffff: "/ 0 false",
		0xffffffff81000000: "srso_alias_untrain_ret/ ffffffff81000000 true",
		0xffffffff810000ff: "srso_alias_untrain_ret/ ffffffff81000000 true",
		0xffffffff81000200: "strong_one/ ffffffff81000200 true",
		0xffffffff81001fff: "last_of_kernel/ ffffffff81000400 true",
		0xffffffff81002000: "/ 0 false",
		0xffffffffc0000180: "nft_exit/[nf_tables] ffffffffc0000100 true",
		0xffffffffc0010010: "bpf_prog_6deef7357e7b4530/[bpf] ffffffffc0010000 true",
		0xffffffffffffffff: "/ 0 false",
	} {
		name, module, start, ok := k.lookup(addr)
		if got := fmt.Sprintf("%s/%s %x %t", name, module, start, ok); got != want {
			t.Errorf("%#x: got %s, want %s", addr, got, want)
		}
	}
}

func TestKallsymsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"0000000000000000 T a\n0000000000000000 T b\n": "kptr_restrict",
		"ffffffff81000000 T a\nnonsense\n":             "line 2",
		"fffffffff81000000 T a\n":                      "line 1",
		strings.Repeat("x", 2*maxSymbolLine):           "after line 0",
	} {
		if _, err := readKallsyms(strings.NewReader(text), len(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want one about %q", text, err, want)
		}
	}
}

func TestJITMap(t *testing.T) {
	m, err := readJITMap(strings.NewReader("7f0010 20 LazyCompile:*f native array.js\n0x7f0100 0x10 (a b)\n7f0010 10 after\n7f02"))
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[uint64]string{0x7f000f: "", 0x7f0010: "after", 0x7f001f: "after", 0x7f0020: "", 0x7f010f: "(a b)"} {
		if s, _ := m.lookup(addr); s.name != want {
			t.Errorf("%#x: got %q, want %q", addr, s.name, want)
		}
	}
	_, err = readJITMap(strings.NewReader("7f0010 20 f\nnonsense\n7f0010 20 f\n"))
	if err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("a bad line is not refused: %v", err)
	}
}

// FuzzSymbolText checks that no text makes the readers panic, and that what they find lies
// where they were asked.
func FuzzSymbolText(f *testing.F) {
	f.Add(kallsymsText, uint64(0xffffffff81000000))
	f.Add("7f0010 20 LazyCompile:*f native array.js\n", uint64(0x7f0010))
	f.Fuzz(func(t *testing.T, text string, addr uint64) {
		if k, err := readKallsyms(strings.NewReader(text), len(text)); err == nil {
			if _, _, start, ok := k.lookup(addr); ok && start > addr {
				t.Errorf("%#x is said to lie behind %#x", addr, start)
			}
		}
		if m, err := readJITMap(strings.NewReader(text)); err == nil {
			if s, ok := m.lookup(addr); ok && (s.start > addr || s.end <= addr) {
				t.Errorf("%#x is said to lie in [%#x, %#x)", addr, s.start, s.end)
			}
		}
	})
}

// BenchmarkKallsyms reads this machine's table from memory.
func BenchmarkKallsyms(b *testing.B) {
	text, err := os.ReadFile("/proc/kallsyms")
	if err != nil {
		b.Skip(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readKallsyms(strings.NewReader(string(text)), len(text)); err != nil {
			b.Fatal(err)
		}
	}
}
