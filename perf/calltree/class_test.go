package calltree_test

import (
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/seanchatmangpt/clnrm-perf/perf"
	"github.com/seanchatmangpt/clnrm-perf/perf/calltree"
)

func rules(t testing.TB, text string) *calltree.Rules {
	t.Helper()
	r, err := calltree.ParseRules("rules", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRulesText reads the table that is compiled in: DefaultRules would have no rules
// if it could not be read.
func TestRulesText(t *testing.T) {
	if got := len(rules(t, calltree.RulesText).Classes()); got < 15 {
		t.Errorf("the default rules have %d classes", got)
	}
}

// exclusive returns the classes of a tree with their exclusive weights.
func exclusive(c *calltree.Classification) map[string]int64 {
	out := map[string]int64{}
	for _, s := range c.Shares {
		if s.Weight > 0 {
			out[s.String()] = s.Weight
		}
	}
	return out
}

// TestSymbols goes through the default rules stack by stack.
func TestSymbols(t *testing.T) {
	const kernel = "@[kernel.kallsyms]"
	for stack, want := range map[string]string{
		"main;work": "Compute",
		// What a purpose calls is its work, down to the kernel.
		"main;github.com/docker/docker/client.(*Client).ContainerStart;net/http.(*Client).Do;runtime.selectgo":                                "Docker operations: container start",
		"main;github.com/docker/docker/client.(*Client).ContainerCreate;encoding/json.Marshal;runtime.mallocgc":                               "Serialisation: JSON",
		"main;github.com/docker/docker/client.(*Client).NetworkCreate;syscall.Syscall":                                                        "Docker operations: network",
		"main;github.com/docker/docker/client.(*Client).ImagePull;net.(*conn).Read":                                                           "Docker operations: image pull",
		"main;github.com/docker/docker/client.(*Client).Ping":                                                                                 "Docker operations: other",
		"main;<bollard::docker::Docker>::start_container::{{closure}}":                                                                        "Docker operations: container start",
		"x@/usr/bin/containerd-shim-runc-v2;y@/usr/bin/containerd-shim-runc-v2":                                                               "Docker operations: other",
		"main;toml::de::from_str;alloc::raw_vec::RawVec<T,A>::reserve;__rust_realloc;realloc":                                                 "Serialisation: TOML",
		"main;serde_json::de::from_str;memchr":                                                                                                "Serialisation: JSON",
		"main;github.com/santhosh-tekuri/jsonschema/v6.(*Schema).Validate;github.com/x/y.z":                                                   "Serialisation: config validation",
		"main;clnrm_core::validation::orchestrator::run":                                                                                      "Serialisation: config validation",
		"main;tokio::runtime::scheduler::multi_thread::worker::Context::run_task;app::handler;app::hash":                                      "Compute",
		"main;tokio::runtime::scheduler::multi_thread::worker::Context::park_timeout;mio::poll::Poll::poll;epoll_wait;do_epoll_wait" + kernel: "Async runtime: scheduler",
		"main;app::main;tokio::task::spawn::spawn;malloc":                                                                                     "Allocation",
		"main;app::main;tokio::task::spawn::spawn":                                                                                            "Async runtime: task spawning",
		"main;<tokio::sync::mpsc::chan::Tx<T,S> as core::clone::Clone>::clone":                                                                "Async runtime: channels",
		"runtime.mcall;runtime.park_m;runtime.schedule;runtime.findRunnable;runtime.futexsleep;__x64_sys_futex" + kernel:                      "Async runtime: scheduler",
		"main.main;main.run;runtime.newproc;runtime.systemstack;runtime.newproc.func1;runtime.newproc1":                                       "Async runtime: task spawning",
		"main.main;runtime.chansend1;runtime.chansend":                                                                                        "Async runtime: channels",
		"main.main;sync.(*Mutex).Lock;sync.(*Mutex).lockSlow;internal/sync.runtime_SemacquireMutex":                                           "Locking",
		"main;pthread_mutex_lock;__lll_lock_wait;entry_SYSCALL_64" + kernel:                                                                   "Locking",
		"main;operator new(unsigned long);malloc;_int_malloc;sysmalloc;__x64_sys_brk" + kernel:                                                "Allocation",
		"runtime.gcBgMarkWorker;runtime.systemstack;runtime.gcDrain;runtime.scanobject":                                                       "Allocation",
		"main;work;asm_exc_page_fault" + kernel:                                                                                               "Allocation",
		"main;read;__x64_sys_read" + kernel + ";vfs_read" + kernel:                                                                            "System calls: files",
		"main;connect;__x64_sys_connect" + kernel:                                                                                             "System calls: sockets",
		"main;x;weird_entry" + kernel:                                                                                                         "System calls: other",
		"dd;read;system_call_[k];sys_read_[k];vfs_read_[k]":                                                                                   "System calls: files",
		"main.main;syscall.Syscall6;internal/runtime/syscall/linux.Syscall6":                                                                  "System calls: other",
		// A scheduler has what it does itself, and not the user's code that it calls.
		"main;tokio::runtime::scheduler::multi_thread::worker::Context::run_task":                    "Async runtime: scheduler",
		"main;tokio::runtime::park::CachedParkThread::block_on;app::main::{{closure}}":               "Compute",
		"main;tokio::runtime::coop::budget;app::main::{{closure}};tokio::runtime::park::Inner::park": "Async runtime: scheduler",
		"sync.(*WaitGroup).Go.func1;main.run.func1;main.work":                                        "Compute",
		"main.main;sync.(*Once).Do;sync.(*Once).doSlow;main.load":                                    "Compute",
		"main;std::sys::sync::once::futex::Once::call;app::load":                                     "Compute",
		"clone3;start_thread;std::thread::Builder::spawn_unchecked_::{{closure}};app::work":          "Compute",
		"main.main;io.Copy;os.(*File).ReadFrom;compress/flate.(*decompressor).Read":                  "Compute",
		"main;<std::sys::sync::mutex::futex::Mutex>::lock_contended;syscall;do_futex" + kernel:       "Locking",
		// What all parts of a runtime call belongs to the part.
		"main.main;runtime.chansend;runtime.lock2":      "Async runtime: channels",
		"main.main;runtime.newproc;runtime.casgstatus":  "Async runtime: task spawning",
		"runtime.bgsweep;runtime.lock2":                 "Allocation",
		"runtime.somethingElse;runtime.lock2":           "Locking",
		"main;free@plt":                                 "Allocation",
		"main;cfree@GLIBC_2.2.5":                        "Allocation",
		"main;_int_free.constprop.0":                    "Allocation",
		"main.main;main.work;runtime.asyncPreempt":      "Compute",
		"main;work;irqentry_exit_to_user_mode" + kernel: "Compute",
		"main;app::read":                                "Compute",
		"main;read@/usr/lib/x86_64-linux-gnu/libc.so.6": "System calls: other",
		"main.main;os.(*File).Read;syscall.Syscall":     "System calls: files",
		"main;github.com/docker/docker/client.(*Client).ContainerStart;github.com/docker/docker/client.(*Client).doRequest": "Docker operations: container start",
		"main;mallocator": "Compute",
	} {
		got := exclusive(tree(t, stack+" 7").Classify(nil))
		if len(got) != 1 || got[want] != 7 {
			t.Errorf("%s\nis %v, want %s", stack, got, want)
		}
	}
}

func TestSharesAddUp(t *testing.T) {
	tr := tree(t, "main;encoding/json.Marshal;runtime.mallocgc 3\nmain;runtime.mallocgc 2\nmain;work 6\nmain;sync.(*Mutex).Lock 1")
	for _, c := range []*calltree.Classification{tr.Classify(nil), tr.Invert().Classify(nil)} {
		var weight int64
		share, groups := 0.0, 0.0
		for _, s := range c.Shares {
			weight += s.Weight
			share += s.Share
		}
		for _, g := range c.Groups() {
			groups += g.Share
		}
		if weight != tr.Total() || math.Abs(share-1) > 1e-12 || math.Abs(groups-1) > 1e-12 {
			t.Errorf("exclusive weights add up to %d of %d, shares to %g, those of the groups to %g", weight, tr.Total(), share, groups)
		}
		byNode := map[calltree.Class]int64{}
		for i, n := range tr.Nodes {
			byNode[c.Classes[c.ByNode[i]]] += n.Flat
		}
		for _, s := range c.Shares {
			if byNode[s.Class] != s.Weight {
				t.Errorf("%s: the nodes have %d, the share is of %d", s.Class, byNode[s.Class], s.Weight)
			}
		}
		first := c.Shares[0]
		if first.Class != calltree.Compute || len(first.Leaders) != 1 || first.Leaders[0] != "work" {
			t.Errorf("the greatest share is %+v", first)
		}
		for _, s := range c.Shares {
			if s.Group == "Allocation" && (s.Weight != 2 || s.Inclusive != 5./12) {
				t.Errorf("allocation has an exclusive weight of %d and an inclusive share of %g; want 2 and 5/12", s.Weight, s.Inclusive)
			}
		}
	}
}

// A page fault beneath an allocator is the allocator's; one beneath other functions is known
// by the kernel alone.
func TestWhatOnlyTheKernelSays(t *testing.T) {
	const fault = ";asm_exc_page_fault@[kernel.kallsyms]"
	c := tree(t, "main;work"+fault+" 3\nmain;malloc;_int_malloc"+fault+" 2\nmain;free 1\nmain;work 6").Classify(nil)
	for _, s := range append(c.Shares, c.Groups()...) {
		want := map[string]float64{"Allocation": 3. / 12}[s.Group]
		if math.Abs(s.Kernel-want) > 1e-12 {
			t.Errorf("the kernel alone speaks for %g of %s (%g), want %g", s.Kernel, s.Group, s.Share, want)
		}
	}
}

// The rules of a user come before the default ones.
func TestExtendingTheRules(t *testing.T) {
	mine := "[purpose] Rendering: templates\n\tapp::render::*\n\tmodule:*/libtera.so*\n"
	r, err := calltree.ParseRules("mine", io.MultiReader(strings.NewReader(mine), strings.NewReader(calltree.RulesText)))
	if err != nil {
		t.Fatal(err)
	}
	got := exclusive(tree(t, "main;app::render::page;malloc 1\nmain;x@/lib/libtera.so.1 2\nmain;malloc 4").Classify(r))
	if got["Rendering: templates"] != 3 || got["Allocation"] != 4 {
		t.Errorf("classes are %v", got)
	}
}

func TestRulesMeanWhatTheySay(t *testing.T) {
	const stack = "main;outer_a;outer_b;inner_a;inner_b@/lib/b.so"
	for text, want := range map[string]string{
		"[mechanism] A\n\t*_a\n[mechanism] B\n\t*_b":                                      "B", // the innermost frame
		"[mechanism] A\n\tinner*\n[mechanism] B\n\t*_b":                                   "A", // at a frame, the first line
		"[mechanism] B\n\t*_b\n[purpose] A\n\touter_a":                                    "A", // the strongest section
		"[purpose] A\n\tmodule:*/a.so symbol:*_b\n[purpose] B\n\tsymbol:*b module:*/b.so": "B",
		"[purpose] A\n\tmodule:*/b.so symbol:*_a":                                         "Compute", // of the same frame
		"[purpose] A\n\tkernel:*":                                                         "Compute",
		"[purpose] A\n\tOUTER*":                                                           "Compute",
		"[purpose] A\n\touter_?":                                                          "A",
		"[purpose] A\n\t":                                                                 "Compute",
		"[purpose] A : \n\tmain":                                                          "A",
	} {
		if got := exclusive(tree(t, stack+" 1").Classify(rules(t, text))); got[want] != 1 {
			t.Errorf("%q: %v, want %s", text, got, want)
		}
	}
	if got := exclusive(tree(t, "std::function<void (int)> 1").Classify(rules(t, "[purpose] A\n\tstd::function<void (int)>"))); got["A"] != 1 {
		t.Errorf("a pattern with a space: %v", got)
	}
}

func TestRulesThatCannotBe(t *testing.T) {
	for text, want := range map[string]string{
		"# x\n\nmain":                      "rules:3: ",
		"[intent] A\n":                     "rules:1: [intent]",
		"[purpose]\n":                      "rules:1: ",
		"[purpose A\n":                     "rules:1: ",
		"[purpose] A\n\tmodule:\n":         "rules:2: ",
		"[purpose] A\n\tmain kernel:do_x ": "rules:2: ",
	} {
		_, err := calltree.ParseRules("rules", strings.NewReader(text))
		var syntax *perf.SyntaxError
		if !errors.As(err, &syntax) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: the error is %v, want one that begins with %q", text, err, want)
		}
	}
	if _, err := calltree.ParseRules("rules", io.MultiReader(strings.NewReader("# x\n"), brokenReader{})); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the error of the reader is %v", err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }
