package measure

import (
	"os"
	"path/filepath"
	"testing"
)

// osReleases are what distributions write, cut to what names them.
var osReleases = map[string]string{
	"debian":   "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n",
	"ubuntu":   "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n",
	"mint":     "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
	"fedora":   "ID=fedora\nVERSION_ID=41\n",
	"rocky":    "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
	"centos":   "ID=\"centos\"\nID_LIKE=\"rhel fedora\"\n",
	"amazon":   "ID=\"amzn\"\nID_LIKE=\"fedora\"\n",
	"alpine":   "ID=alpine\n",
	"arch":     "ID=arch\n",
	"manjaro":  "ID=manjaro\nID_LIKE=arch\n",
	"leap":     "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n",
	"sles":     "ID='sles'\nID_LIKE='suse'\n",
	"nixos":    "ID=nixos\n",
	"nameless": "",
}

func TestInstallCommands(t *testing.T) {
	for _, c := range []struct{ system, tool, want string }{
		{"debian", "perf", "sudo apt-get install -y linux-perf"},
		{"debian", "docker", "sudo apt-get install -y docker.io"},
		{"debian", "heaptrack", "sudo apt-get install -y heaptrack"},
		{"debian", "cc", "sudo apt-get install -y gcc libc6-dev"},
		{"ubuntu", "perf", "sudo apt-get install -y linux-tools-generic"},
		{"ubuntu", "valgrind", "sudo apt-get install -y valgrind"},
		{"mint", "perf", "sudo apt-get install -y linux-tools-generic"},
		{"fedora", "perf", "sudo dnf install -y perf"},
		{"fedora", "docker", "sudo dnf install -y moby-engine && sudo systemctl enable --now docker"},
		{"rocky", "docker", "sudo dnf install -y podman podman-docker && sudo systemctl enable --now podman.socket && export DOCKER_HOST=unix:///run/podman/podman.sock"},
		{"centos", "docker", "sudo dnf install -y podman podman-docker && sudo systemctl enable --now podman.socket && export DOCKER_HOST=unix:///run/podman/podman.sock"},
		{"amazon", "docker", "sudo dnf install -y docker && sudo systemctl enable --now docker"},
		{"alpine", "cc", "sudo apk add gcc musl-dev"},
		{"alpine", "docker", "sudo apk add docker && sudo rc-service docker start"},
		{"arch", "cargo", "sudo pacman -S --needed rust"},
		{"manjaro", "go", "sudo pacman -S --needed go"},
		{"leap", "heaptrack", "sudo zypper install -y heaptrack"},
		{"sles", "git", "sudo zypper install -y git"},
		{"nixos", "perf", "with the package manager of this system (nixos is not one that is known here)"},
		{"nameless", "perf", "with the package manager of this system (it is not one that is known here)"},
		{"alpine", "cargo-flamegraph", "cargo install flamegraph"},
	} {
		if got := releaseInstaller(t, osReleases[c.system], false).command(c.tool); got != c.want {
			t.Errorf("%s on %s: %q, want %q", c.tool, c.system, got, c.want)
		}
	}
}

// releaseInstaller is the installer of a system with that os-release.
func releaseInstaller(t *testing.T, release string, root bool) installer {
	t.Helper()
	dir := t.TempDir()
	// The second place, which is where the file of a minimal image stands.
	if err := os.MkdirAll(filepath.Join(dir, "usr/lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "usr/lib/os-release"), []byte(release), 0o644); err != nil {
		t.Fatal(err)
	}
	return linuxInstaller(dir, root)
}

func TestRootNeedsNoSudo(t *testing.T) {
	i := releaseInstaller(t, osReleases["fedora"], true)
	if got, want := i.command("docker"), "dnf install -y moby-engine && systemctl enable --now docker"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestInstallOnMacAndWindows(t *testing.T) {
	mac, windows := installer{family: "brew", distro: "darwin"}, installer{family: "winget", distro: "windows"}
	for _, c := range []struct {
		i          installer
		tool, want string
	}{
		{mac, "go", "brew install go"},
		{mac, "cc", "xcode-select --install"},
		{mac, "docker", "brew install --cask docker-desktop && open -a Docker"},
		{mac, "xctrace", "install Xcode from the App Store, then: sudo xcode-select -s /Applications/Xcode.app"},
		{windows, "git", "winget install Git.Git"},
		{windows, "cc", "no package of winget holds it"},
	} {
		if got := c.i.command(c.tool); got != c.want {
			t.Errorf("%s: %q, want %q", c.tool, got, c.want)
		}
	}
}

// TestEveryPackageManagerHasTheTools holds the table against the catalogue: a
// tool that is added to one must be thought of in the other.
func TestEveryPackageManagerHasTheTools(t *testing.T) {
	for family, m := range packageManagers {
		if family == "brew" || family == "winget" {
			continue
		}
		for _, kind := range toolCatalogue {
			_, crate := cargoInstalls[kind.name]
			if m.packages[kind.name] == "" && !crate && kind.only != "darwin" {
				t.Errorf("%s has no package for %s", family, kind.name)
			}
		}
	}
}
