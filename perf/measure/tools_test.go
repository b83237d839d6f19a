package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// toolRoles tells the test binary, when it is started under the name of a tool,
// what to play: a list of NAME=ROLE.
const toolRoles = "PERF_TEST_TOOLS"

// The test binary plays the tools from an init function and not from TestMain,
// which a package has only one of.
func init() {
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	for pair := range strings.SplitSeq(os.Getenv(toolRoles), ",") {
		if tool, role, ok := strings.Cut(pair, "="); ok && tool == name {
			playTool(name, role)
		}
	}
}

// playTool ends the process.
func playTool(name, role string) {
	switch role {
	case "version":
		fmt.Printf("%s 1.95.0 (f2d3ce0bd 2026-03-21)\n", name)
	case "GOVERSION":
		fmt.Println("go1.99.1")
	case "args":
		fmt.Printf("%s 1.2.3 asked with %s\n", name, strings.Join(os.Args[1:], " "))
	case "stderr":
		fmt.Fprintln(os.Stderr, name+" version 7.5")
	case "mute":
		fmt.Println("I would rather not say")
	case "fails":
		fmt.Fprintf(os.Stderr, "WARNING: %s not found for kernel 6.8.0-45\n\n  You may need to install linux-tools-6.8.0-45-generic\n", name)
		os.Exit(2)
	case "hangs":
		// Input never comes, and what is open for it never closes.
		r, w, err := os.Pipe()
		if err == nil {
			_, _ = r.Read(make([]byte, 1))
		}
		_ = w.Close()
	case "wraps":
		inner := exec.Command(os.Args[1])
		inner.Stdout = os.Stdout
		if err := inner.Run(); err != nil {
			os.Exit(1)
		}
	case "connects":
		conn, err := net.Dial("tcp", os.Getenv("PERF_TEST_ADDRESS"))
		if err == nil {
			_, _ = conn.Read(make([]byte, 1)) // which the test never writes
		}
	case "floods":
		_, _ = io.Copy(os.Stdout, strings.NewReader(name+" 3.19.0\n"+strings.Repeat("and more\n", 1<<20)))
	case "environment":
		fmt.Printf("%s 1.0 %s\n", name, os.Getenv("RUSTUP_AUTO_INSTALL"))
	}
	os.Exit(0)
}

// fakePath makes a folder of tools, each of them the test binary, the only one on
// PATH, and says what each of them plays.
func fakePath(t *testing.T, roles map[string]string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var list []string
	for name, role := range roles {
		list = append(list, name+"="+role)
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			copyTool(t, self, filepath.Join(dir, name))
		}
	}
	t.Setenv("PATH", dir)
	t.Setenv(toolRoles, strings.Join(list, ","))
	// Under -race a program waits a second before it ends, unless it is told not to.
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	return dir
}

// copyTool is for systems on which users make no symbolic links.
func copyTool(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o755); err != nil {
		t.Fatal(err)
	}
}

// testToolbox has time for slow machines, and an Ubuntu's package manager.
func testToolbox() toolbox {
	return toolbox{
		installer: installer{family: "apt", distro: "ubuntu", kernel: "6.8.0-45-generic"},
		system:    "linux", toolTimeout: time.Minute, engine: asGiven,
	}
}

// asGiven is an engine that nobody asks.
func asGiven(_ context.Context, t Tool) Tool { return t }

func findTool(t *testing.T, tools []Tool, name string) Tool {
	t.Helper()
	for _, tool := range tools {
		if tool.Name == name {
			return tool
		}
	}
	t.Fatalf("no tool %q", name)
	return Tool{}
}

func TestToolsOnAPath(t *testing.T) {
	fakePath(t, map[string]string{
		"go": "args", "git": "version", "perf": "fails", "heaptrack": "stderr", "valgrind": "floods",
		"cc": "mute", "cargo-flamegraph": "args", "xctrace": "version", "cargo": "environment",
	})
	tools := testToolbox().tools(t.Context())
	for _, want := range []Tool{
		{Name: "go", Found: true, Usable: true, Version: "1.2.3", Install: "sudo apt-get install -y golang-go"},
		{Name: "git", Found: true, Usable: true, Version: "1.95.0", Install: "sudo apt-get install -y git"},
		{Name: "heaptrack", Found: true, Usable: true, Version: "7.5", Install: "sudo apt-get install -y heaptrack"},
		{Name: "valgrind", Found: true, Usable: true, Version: "3.19.0", Install: "sudo apt-get install -y valgrind"},
		{Name: "cargo", Found: true, Usable: true, Version: "1.0", Install: "sudo apt-get install -y cargo"},
		{Name: "cc", Found: true, Note: "found, but it tells no version: I would rather not say", Install: "sudo apt-get install -y gcc libc6-dev"},
		{Name: "perf", Found: true, Install: "sudo apt-get install -y linux-tools-6.8.0-45-generic",
			Note: "found, but it does not run: perf --version: exit status 2: WARNING: perf not found for kernel 6.8.0-45 You may need to install linux-tools-6.8.0-45-generic"},
		{Name: "xctrace", Install: "not available on this system (macOS only)"},
		{Name: "cargo-make", Install: "cargo install cargo-make", Note: "not needed: the targets run the commands of the tasks by themselves"},
	} {
		got := findTool(t, tools, want.Name)
		if got.Enables == "" {
			t.Errorf("%s enables nothing", got.Name)
		}
		if (got.Path != "") != want.Found {
			t.Errorf("%s: found %v at %q", got.Name, want.Found, got.Path)
		}
		if want.Note == "" {
			want.Note = got.Note
		}
		want.Enables, want.Path = got.Enables, got.Path
		if got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
}

func TestToolsOfThisSystemAreAllNamed(t *testing.T) {
	tools := Tools(t.Context(), asGiven)
	for _, name := range []string{"docker engine", "perf", "heaptrack", "valgrind", "cargo", "git", "cc", "xctrace", "go"} {
		tool := findTool(t, tools, name)
		if tool.Install == "" || tool.Enables == "" {
			t.Errorf("%s: installed by %q, enables %q: neither may be empty", name, tool.Install, tool.Enables)
		}
		if tool.Usable && (!tool.Found || tool.Version == "") {
			t.Errorf("%s is usable, found %v with version %q", name, tool.Found, tool.Version)
		}
	}
}

func TestToolAskedAsItWantsToBe(t *testing.T) {
	dir := fakePath(t, map[string]string{"cargo-flamegraph": "args", "git": "environment"})
	out, err := toolOutput(t.Context(), time.Minute, toolFile(dir, "cargo-flamegraph"), "flamegraph", "--version")
	if err != nil || !strings.Contains(out, "asked with flamegraph --version") {
		t.Errorf("got %q, %v", out, err)
	}
	// rustup must not install a toolchain because its version was asked for.
	out, err = toolOutput(t.Context(), time.Minute, toolFile(dir, "git"))
	if err != nil || strings.TrimSpace(out) != "git 1.0 0" {
		t.Errorf("got %q, %v; want RUSTUP_AUTO_INSTALL=0", out, err)
	}
}

func toolFile(dir, name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(dir, name)
}

func TestToolThatHangs(t *testing.T) {
	dir := fakePath(t, map[string]string{"perf": "hangs"})
	const limit = 50 * time.Millisecond
	_, err := toolOutput(t.Context(), limit, toolFile(dir, "perf"), "--version")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "did not answer within 50ms") {
		t.Errorf("got %v; want that it did not answer", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := toolOutput(ctx, time.Minute, toolFile(dir, "perf"), "--version"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	b := testToolbox()
	b.toolTimeout = limit
	got := b.look(t.Context(), toolKind{name: "perf"})
	if !got.Found || got.Usable || !strings.Contains(got.Note, "did not answer") {
		t.Errorf("got %+v; want it found, not usable, and why", got)
	}
}

func TestToolVersion(t *testing.T) {
	for out, want := range map[string]string{
		"perf version 6.1.187":                      "6.1.187",
		"perf version 6.8.g5a8ed2":                  "6.8.g5a8ed2",
		"valgrind-3.19.0":                           "3.19.0",
		"heaptrack 1.4.0":                           "1.4.0",
		"git version 2.39.3 (Apple Git-146)":        "2.39.3",
		"go version go1.26.8 linux/amd64":           "1.26.8",
		"go1.27rc1":                                 "1.27rc1",
		"cargo 1.95.0-nightly (f2d3ce0bd 2026-03)":  "1.95.0-nightly",
		"cc (Debian 12.2.0-14+deb12u1) 12.2.0\n(C)": "12.2.0",
		"cc (GCC) 14.2.1 20240912 (Red Hat 14.2.1)": "14.2.1",
		"Apple clang version 15.0.0 (clang-1500.1)": "15.0.0",
		"xctrace version 15.0 (15A240d)":            "15.0",
		"warning: slow\ncargo-make 0.37.24":         "0.37.24",
		"no number here 7":                          "",
		"":                                          "",
	} {
		if got := toolVersion(out); got != want {
			t.Errorf("%q has version %q, want %q", out, got, want)
		}
	}
}

func TestFirstWords(t *testing.T) {
	if got := firstWords("  one\n\n two\t three "); got != "one two three" {
		t.Errorf("got %q", got)
	}
	if got := []rune(firstWords(strings.Repeat("é", 500))); len(got) != 200 || got[199] != '…' {
		t.Errorf("got %d characters, ending in %q", len(got), got[len(got)-1])
	}
}
