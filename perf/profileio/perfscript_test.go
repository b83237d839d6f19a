package profileio

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// fold reads text as perf script and returns its folded stacks and its faults.
func fold(t *testing.T, text string, o FoldOptions) (string, *Script) {
	t.Helper()
	s, err := ReadPerfScript(strings.NewReader(text), "in.txt", o.needs())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := s.WriteFolded(&out, o); err != nil {
		t.Fatal(err)
	}
	return out.String(), s
}

// TestWhatPeersGetWrong holds the reader against input that programs of its kind were
// seen to read wrongly.
func TestWhatPeersGetWrong(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{
			"a number in the name of the thread",
			"Thread 7 1234/1235 [000] 12.345678:    100 cycles:u: \n\t  401000 work+0x10 (/bin/x)\n\n", "Thread_7;work 100\n",
		},
		{
			"a number in the name, and one number for the thread",
			"Thread 7 1235 12.345678:    100 cycles:u: \n\t  401000 work+0x10 (/bin/x)\n\n", "Thread_7;work 100\n",
		},
		{
			"a name that begins like a comment",
			"#pool 1234/1235 [000] 12.345678:    100 cycles:u: \n\t  401000 work+0x10 (/bin/x)\n\n", "#pool;work 100\n",
		},
		{
			"operator->",
			"x 1 12.345678:    5 cycles: \n\t  401000 Foo::operator->+0x5 (/bin/x)\n\n", "x;Foo::operator-> 5\n",
		},
		{
			"a module with blanks and brackets",
			"x 1 12.345678:    5 cycles: \n\t  401000 work+0x5 (/opt/my app (old)/x (deleted))\n\t 402000 [unknown] (/opt/my app/lib y.so)\n\n", "x;[lib y.so];work 5\n",
		},
		{
			"a template with brackets, in a program of one letter",
			"a 10/10 [000] 100.000001:    5 cycles: \n\t  401000 std::function<void (int)>::operator()(int) const+0x5 (/bin/a)\n\n", "a;std::function<void (int)>::operator 5\n",
		},
		{
			"the payload of a tracepoint above its stack",
			"x 7 [001] 12.345678: sched:sched_switch: prev_comm=x prev_pid=7 prev_prio=120 prev_state=S ==> next_comm=swapper/1 next_pid=0 next_prio=120\n" +
				"\tffffffff81000000 schedule+0x20 ([kernel.kallsyms])\n\t  401000 main+0x5 (/bin/x)\n\n", "x;main;schedule 1\n",
		},
		{
			"the payload of a system call",
			"x 7 [001] 12.345678: raw_syscalls:sys_enter: NR 12 (0, 7ffd, 1)\n\t  401000 main+0x5 (/bin/x)\n\n", "x;main 1\n",
		},
		{
			"a payload that looks like a frame",
			"x 7 [001] 12.345678: probe:f: beef a (b)\n\t  401000 main+0x5 (/bin/x)\n\n", "x;main 1\n",
		},
		{
			"the last sample without an empty line",
			"x 1 12.345678:    5 cycles: \n\t  401000 work+0x5 (/bin/x)", "x;work 5\n",
		},
		{
			"samples that perf has aligned",
			"           false 39654 19115.489713:          1 cycles:u:  ffffffff9b201293 [unknown] ([unknown])\n" +
				"            cafe 39654 19115.489719:          1 cycles:      7fa68b1f2d84 _dl_start+0x4 (/usr/lib/ld-2.31.so)\n",
			"cafe;_dl_start 1\nfalse;[unknown] 1\n",
		},
		{
			"no period, no time",
			"node 31912 cpu-clock: \n\t  401000 work (/bin/x)\n\n", "node;work 1\n",
		},
		{
			"line ends of Windows",
			"x 1 12.345678:    5 cycles: \r\n\t  401000 work+0x5 (/bin/x)\r\n\r\n", "x;work 5\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, s := fold(t, tc.in, FoldOptions{})
			if got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
			for _, f := range s.Faults {
				t.Error(f)
			}
		})
	}
}

func TestEvents(t *testing.T) {
	const text = "x 1 1.000001: 5 cycles:u: \n\t 1 a (/x)\n\nx 1 1.000002: 7 instructions: \n\t 1 b (/x)\n\nx 1 1.000003: 9 cycles: \n\t 1 a (/x)\n\n"
	got, s := fold(t, text, FoldOptions{})
	if got != "x;a 14\n" || s.Event != "cycles" || fmt.Sprint(s.Others) != "[instructions]" || s.Samples != 2 {
		t.Errorf("%q of %s, others %v, %d samples", got, s.Event, s.Others, s.Samples)
	}
	other, err := ReadPerfScript(strings.NewReader(text), "in.txt", ScriptOptions{Event: "instructions:u"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := other.WriteFolded(&out, FoldOptions{}); err != nil || out.String() != "x;b 7\n" {
		t.Errorf("%q (%v), want the other event's", out.String(), err)
	}
}

// TestFaults checks that bad lines are named and the rest is read.
func TestFaults(t *testing.T) {
	const text = "x 1 1.000001: 5 cycles: \n\t 1 a (/x)\n\nx 1 1.000002: 7 cycles: \n\n\t 1 orphan (/x)\nwhat is this\n\t zz no frame\nx 1 1.000003: 9 cycles: \n\t 1 c (/x)\n"
	got, s := fold(t, text, FoldOptions{})
	if got != "x 7\nx;a 5\nx;c 9\n" {
		t.Errorf("the rest reads %q", got)
	}
	var lines []int
	for _, f := range s.Faults {
		lines = append(lines, f.Line)
	}
	if fmt.Sprint(lines) != "[6 7 8]" || s.Faulty != 3 {
		t.Errorf("faults in lines %v (%d), want 6, 7 and 8: %v", lines, s.Faulty, s.Faults)
	}
	_, s = fold(t, strings.Repeat("nonsense\n", 1000), FoldOptions{})
	if len(s.Faults) != maxFaults || s.Faulty != 1000 {
		t.Errorf("%d faults kept of %d", len(s.Faults), s.Faulty)
	}
}

// TestLongLines feeds the reader bytes one by one, and a line that is none.
func TestLongLines(t *testing.T) {
	name := strings.Repeat("n", 3*chunk/2)
	got, _ := fold(t, "x 1 1.000001: 5 cycles: \n\t 1 "+name+" (/x)\n", FoldOptions{})
	if got != "x;"+name+" 5\n" {
		t.Errorf("a symbol of %d bytes does not come through", len(name))
	}
	if _, err := ReadPerfScript(strings.NewReader(strings.Repeat("n", 5*maxLine)), "in.txt", ScriptOptions{}); err == nil {
		t.Error("a line without an end is read without an error")
	}
}

// forgetful reads text as ReadPerfScript does, and remembers no line and no module.
func forgetful(t *testing.T, text string, o ScriptOptions) *Script {
	t.Helper()
	p := newScriptReader("in.txt", o)
	err := eachLine(strings.NewReader(text), func(line []byte) {
		p.memo.tries, p.modules, p.lastID = math.MinInt, moduleMemo{}, 0
		p.oneLine(line)
	})
	if err != nil {
		t.Fatal(err)
	}
	p.flush()
	return p.script
}

// wantRemembered checks that text reads the same whether lines are remembered or not.
func wantRemembered(t *testing.T, text string, o FoldOptions) {
	t.Helper()
	s, err := ReadPerfScript(strings.NewReader(text), "in.txt", o.needs())
	if err != nil {
		return
	}
	plain := forgetful(t, text, o.needs())
	var got, want bytes.Buffer
	if err := errors.Join(s.WriteFolded(&got, o), plain.WriteFolded(&want, o)); err != nil {
		t.Fatal(err)
	}
	if got.String() != want.String() || fmt.Sprint(s.Samples, s.Lost, s.Others, s.Faults) != fmt.Sprint(plain.Samples, plain.Lost, plain.Others, plain.Faults) {
		t.Fatalf("%q\nremembered %q %v\nread again %q %v", text, got.String(), s.Faults, want.String(), plain.Faults)
	}
}

// TestRemembersLines reads lines in any order: what a line was before says what it is now
// only where the same is around it. The texts are long enough that lines drive each other
// out, and that the memory rests.
func TestRemembersLines(t *testing.T) {
	lines := []string{
		"", "x 1 1.000001: 5 cycles: ", "Thread 7 1/2 1.000002: 7 cycles: ", "y 3 1.000003: other: 4 q (z)", "# comment", "nonsense", "\t ",
		"\t 1 a (/x)", "\t 2 b (/x)", "\t 2 f(int) (/x)", "\t 3 g (/my app (old)/x)", "\t 3 g (/my app) (old/x)", "\t 3 g h) (old/x)", "\t 4 [unknown] ([vdso])",
		"\t 5 7 1.000004: 3 cycles: 6 c (/y)", "  cafe 5 1.000005: 2 cycles: 6 c (/y)", "\t zz", "x 1 1.000001: 5 cycles: 1 p (/x)",
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		var b strings.Builder
		for range 60 {
			b.WriteString(lines[rng.IntN(len(lines))] + "\n")
		}
		wantRemembered(t, b.String(), FoldOptions{})
	}
	for fresh, samples := range map[int]int{20_000: 8000, 500: 2500} { // functions: most lines are new, or few
		var b strings.Builder
		for sample := range samples {
			fmt.Fprintf(&b, "x 1 %d.0: 1 cycles: \n", sample)
			for depth := range 4 {
				fmt.Fprintf(&b, "\t %x f%d (/x%d)\n", depth, rng.IntN(fresh), depth)
			}
			b.WriteString("\n")
		}
		wantRemembered(t, b.String(), FoldOptions{Addresses: true})
	}
}

func FuzzPerfScript(f *testing.F) {
	f.Add("x 1 12.345678:    5 cycles: \n\t  401000 work+0x5 (/bin/x)\n\n")
	f.Add("x 7 [001] 12.3: sched:sched_switch: a ==> b\n\tffff schedule+0x20 ([kernel.kallsyms])\n")
	f.Add("# comment\n#pool 1/2 [000] 1.2: 1 c: \n\n (\n ()\n) (\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, o := range foldVariants {
			s, err := ReadPerfScript(strings.NewReader(text), "in.txt", o.needs())
			if err != nil {
				return
			}
			var total int64
			for _, n := range s.stacks.nodes {
				total += n.count
			}
			if total != s.Samples {
				t.Fatalf("%d samples in the stacks, %d were read", total, s.Samples)
			}
			if err := s.WriteFolded(new(bytes.Buffer), o); err != nil {
				t.Fatal(err)
			}
		}
		wantRemembered(t, text+"\n"+text, FoldOptions{Addresses: true})
	})
}
