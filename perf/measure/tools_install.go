package measure

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// An installer knows the package manager of a system.
type installer struct {
	family string // a key of packageManagers, or "" if the system is not known
	distro string // ID of os-release, or the system's name
	kernel string // release of the running kernel; for perf on Ubuntu
	noSudo bool   // the commands are run by root already
}

// packageManagers maps a package manager to its command and to the packages that hold
// the tools. A tool that a family has no package for is not in its map.
var packageManagers = map[string]struct {
	command  string
	root     bool // the command takes root
	packages map[string]string
}{
	"apt": {"apt-get install -y", true, map[string]string{
		"docker": "docker.io", "perf": "linux-perf", "heaptrack": "heaptrack", "valgrind": "valgrind",
		"cargo": "cargo", "git": "git", "cc": "gcc libc6-dev", "go": "golang-go"}},
	"dnf": {"dnf install -y", true, map[string]string{
		"docker": "moby-engine", "perf": "perf", "heaptrack": "heaptrack", "valgrind": "valgrind",
		"cargo": "cargo", "git": "git", "cc": "gcc", "go": "golang"}},
	"apk": {"apk add", true, map[string]string{
		"docker": "docker", "perf": "perf", "heaptrack": "heaptrack", "valgrind": "valgrind",
		"cargo": "cargo", "git": "git", "cc": "gcc musl-dev", "go": "go"}},
	"pacman": {"pacman -S --needed", true, map[string]string{
		"docker": "docker", "perf": "perf", "heaptrack": "heaptrack", "valgrind": "valgrind",
		"cargo": "rust", "git": "git", "cc": "gcc", "go": "go"}},
	"zypper": {"zypper install -y", true, map[string]string{
		"docker": "docker", "perf": "perf", "heaptrack": "heaptrack", "valgrind": "valgrind",
		"cargo": "cargo", "git": "git", "cc": "gcc", "go": "go"}},
	"brew": {"brew install", false, map[string]string{
		"docker": "--cask docker-desktop", "cargo": "rust", "git": "git", "go": "go"}},
	"winget": {"winget install", false, map[string]string{
		"docker": "Docker.DockerDesktop", "cargo": "Rustlang.Rustup", "git": "Git.Git", "go": "GoLang.Go"}},
}

// packageManagerOf maps IDs of os-release(5) to package managers.
var packageManagerOf = map[string]string{
	"debian": "apt", "ubuntu": "apt",
	"fedora": "dnf", "rhel": "dnf", "centos": "dnf", "ol": "dnf", "amzn": "dnf",
	"alpine": "apk",
	"arch":   "pacman",
	"suse":   "zypper", "opensuse": "zypper",
}

// packageExceptions are packages that go by another name in one distribution than in
// its family.
var packageExceptions = map[string]map[string]string{
	"ubuntu": {"perf": "linux-tools-generic"},
	"amzn":   {"docker": "docker"},
	// Red Hat's repositories hold no Docker engine; Podman speaks its API.
	"rhel": {"docker": "podman podman-docker"},
}

// cargoInstalls are tools that come as crates, whatever the system.
var cargoInstalls = map[string]string{
	"cargo-flamegraph": "flamegraph", "cargo-instruments": "cargo-instruments", "cargo-make": "cargo-make",
}

// systemInstaller finds out what installs software here.
func systemInstaller() installer {
	i := installer{distro: runtime.GOOS, noSudo: os.Geteuid() == 0}
	switch runtime.GOOS {
	case "darwin":
		i.family = "brew"
	case "windows":
		i.family = "winget"
	case "linux":
		return linuxInstaller("/", i.noSudo)
	}
	return i
}

// linuxInstaller reads os-release(5) below root: the ID, and where that is not
// known the IDs of what the distribution is like, nearest first.
func linuxInstaller(root string, noSudo bool) installer {
	i := installer{noSudo: noSudo}
	release := osRelease(filepath.Join(root, "etc/os-release"), filepath.Join(root, "usr/lib/os-release"))
	if b, err := os.ReadFile(filepath.Join(root, "proc/sys/kernel/osrelease")); err == nil {
		i.kernel = strings.TrimSpace(string(b))
	}
	for _, id := range append([]string{release["ID"]}, strings.Fields(release["ID_LIKE"])...) {
		// openSUSE's editions are opensuse-leap, opensuse-tumbleweed, ...
		if strings.HasPrefix(id, "opensuse") {
			id = "opensuse"
		}
		if family, ok := packageManagerOf[id]; ok {
			i.family, i.distro = family, id
			// Rebuilds of RHEL name it in ID_LIKE, except for these two.
			if id == "centos" || id == "ol" {
				i.distro = "rhel"
			}
			return i
		}
	}
	i.distro = release["ID"]
	return i
}

// osRelease reads the first of the files that is there.
func osRelease(paths ...string) map[string]string {
	fields := map[string]string{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
				fields[key] = strings.Trim(value, `"'`)
			}
		}
		return fields
	}
	return fields
}

// command returns what installs a tool here, or a sentence.
func (i installer) command(tool string) string {
	if crate, ok := cargoInstalls[tool]; ok {
		return "cargo install " + crate
	}
	switch {
	case tool == "xctrace":
		return "install Xcode from the App Store, then: sudo xcode-select -s /Applications/Xcode.app"
	case tool == "cc" && i.family == "brew":
		return "xcode-select --install"
	}
	family, ok := packageManagers[i.family]
	if !ok {
		return "with the package manager of this system (" + i.system() + " is not one that is known here)"
	}
	packages, ok := family.packages[tool]
	if other, has := packageExceptions[i.distro][tool]; has {
		packages, ok = other, true
	}
	if !ok {
		return "no package of " + i.family + " holds it"
	}
	command := i.sudo(family.root) + family.command + " " + packages
	if tool == "docker" {
		command += i.startDocker(packages)
	}
	return command
}

// startDocker is what else an engine takes that a package manager has installed:
// outside of Debian's family packages do not start their services.
func (i installer) startDocker(packages string) string {
	switch {
	case strings.Contains(packages, "podman"):
		return " && " + i.sudo(true) + "systemctl enable --now podman.socket && export DOCKER_HOST=unix:///run/podman/podman.sock"
	case i.family == "apk":
		return " && " + i.sudo(true) + "rc-service docker start"
	case i.family == "dnf", i.family == "pacman", i.family == "zypper":
		return " && " + i.sudo(true) + "systemctl enable --now docker"
	case i.family == "brew":
		return " && open -a Docker"
	}
	return ""
}

// repair returns what mends a tool that is there and does not run. Ubuntu's perf
// is a script around a program that belongs to one kernel release.
func (i installer) repair(tool string) string {
	if tool == "perf" && i.distro == "ubuntu" && i.kernel != "" {
		return i.sudo(true) + "apt-get install -y linux-tools-" + i.kernel
	}
	return i.command(tool)
}

// sudo returns what to put before a command that takes root. Images of containers
// have no sudo, and their users are root.
func (i installer) sudo(root bool) string {
	if root && !i.noSudo {
		return "sudo "
	}
	return ""
}

// system is the distribution's ID, for sentences.
func (i installer) system() string {
	if i.distro == "" {
		return "it"
	}
	return i.distro
}
