package profileio

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/seanchatmangpt/clnrm-perf/perf/internal/testenv"
)

const mixed = "java-x 10/11 [000] 1.000001: 250000 cpu-clock:u: \n" +
	"\t 401010 Lcom/x/A;::f->Lcom/x/B;::g+0x10 (/tmp/perf-10.map)\n" +
	"\t 7f0010 core::fmt::_$LT$impl$u20$A$GT$::f::h0123456789abcdef+0x1 (/opt/my app/x)\n" +
	"\t ffffffff81000010 do_syscall_64+0x5 ([kernel.kallsyms])\n\n" +
	"java-x 10/12 [000] 1.000002: 250000 cpu-clock:u: \n" +
	"\t 402020 std::function<void (int)>::operator()(int) const+0x5 (/opt/my app/x)\n\n"

func scriptProfile(t *testing.T, text string) *profile.Profile {
	t.Helper()
	s, err := ReadPerfScript(strings.NewReader(text), "in.txt", ScriptOptions{Addresses: true, Threads: true})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Profile()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestScriptProfile checks that names are whole in the model, where the dialect of
// folded stacks cuts them.
func TestScriptProfile(t *testing.T) {
	p := scriptProfile(t, mixed)
	if p.SampleType[1].Type != "cpu" || p.SampleType[1].Unit != "nanoseconds" {
		t.Errorf("sample type %+v", p.SampleType[1])
	}
	names := map[string]bool{}
	for _, f := range p.Function {
		names[f.Name] = true
	}
	for _, want := range []string{"std::function<void (int)>::operator()(int) const", "core::fmt::<impl A>::f", "Lcom/x/A;::f", "Lcom/x/B;::g", "do_syscall_64"} {
		if !names[want] {
			t.Errorf("no function %q in %v", want, names)
		}
	}
	s := p.Sample[0]
	if s.Label["comm"][0] != "java-x" || s.Label["pid"][0] != "10" || s.Label["tid"][0] != "11" {
		t.Errorf("labels %v", s.Label)
	}
	if leaf := s.Location[0]; len(leaf.Line) != 2 || leaf.Line[0].Function.Name != "Lcom/x/B;::g" || leaf.Address != 0x401010 {
		t.Errorf("leaf %+v, want B::g inlined into A::f", leaf)
	}
	var encoded bytes.Buffer
	if err := p.Write(&encoded); err != nil {
		t.Fatal(err)
	}
	again, err := profile.Parse(&encoded)
	if err != nil || again.String() != p.String() {
		t.Errorf("the profile does not survive being written and read: %v", err)
	}
	folded := FoldProfile(p, 1)
	if folded["java-x;std::function<void (int)>::operator()(int) const"] != 250000 || len(folded) != 2 {
		t.Errorf("folded %v", folded)
	}
}

// TestPprofReads holds the profile against the tool that everybody opens it with.
func TestPprofReads(t *testing.T) {
	testenv.Tool(t, "go")
	name := filepath.Join(t.TempDir(), "profile.pb.gz")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := scriptProfile(t, mixed).Write(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "tool", "pprof", "-top", "-nodecount=10", name).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Showing nodes accounting for 500us, 100% of 500us total") || !strings.Contains(string(out), "com/x/B;::g") {
		t.Errorf("go tool pprof: %v\n%s", err, out)
	}
}
