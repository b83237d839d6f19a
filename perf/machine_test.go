package perf

import (
	"reflect"
	"strings"
	"testing"
)

// machine is the one whose fingerprint is written out in TestFingerprintIsStable.
var machine = Machine{OS: "linux", Arch: "amd64", CPU: "AMD EPYC 7B13", Cores: 2, MemoryClass: "32 GiB", Virtualisation: "kvm"}

// Baselines lie in folders of this name: were it to change, every one would be orphaned.
func TestFingerprintIsStable(t *testing.T) {
	for want, m := range map[string]Machine{
		"linux-amd64-2c-32g-4445e33b":   machine,
		"darwin-arm64-10c-16g-30770951": {OS: "darwin", Arch: "arm64", CPU: "Apple M1 Pro", Cores: 10, MemoryClass: "16 GiB"},
	} {
		if got := m.ComputeFingerprint(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// What identifies the machine changes the fingerprint, and what does not leaves it: the
// fields of Machine are either, so that a new field has to be put on one of the lists.
func TestFingerprintOfEveryField(t *testing.T) {
	enters := map[string]bool{"OS": true, "Arch": true, "CPU": true, "Cores": true, "MemoryClass": true, "Virtualisation": true,
		"Fingerprint": false, "Kernel": false, "Toolchain": false}
	for f := range reflect.TypeFor[Machine]().Fields() {
		want, listed := enters[f.Name]
		if !listed {
			t.Errorf("does %s enter the fingerprint?", f.Name)
			continue
		}
		m := machine
		switch v := reflect.ValueOf(&m).Elem().FieldByIndex(f.Index); v.Kind() {
		case reflect.String:
			v.SetString(v.String() + "x")
		case reflect.Int:
			v.SetInt(v.Int() + 1)
		default:
			v.Set(reflect.ValueOf(map[string]string{"go": "1.27"}))
		}
		if got := m.ComputeFingerprint() != machine.ComputeFingerprint(); got != want {
			t.Errorf("another %s changes the fingerprint: %v, want %v", f.Name, got, want)
		}
	}
}

// Neither the clock rate nor the name of the host has a field that it could stand in,
// and values that wander between fields must not meet.
func TestFingerprintKnowsNoHost(t *testing.T) {
	for f := range reflect.TypeFor[Machine]().Fields() {
		for _, word := range []string{"host", "mhz", "clock", "freq", "bogo", "serial", "user"} {
			if strings.Contains(strings.ToLower(f.Name+f.Tag.Get("json")), word) {
				t.Errorf("a machine has the field %s", f.Name)
			}
		}
	}
	a, b := machine, machine
	a.OS, a.Arch = "linuxa", "md64"
	b.OS, b.Arch = "linux", "amd64"
	if hashOf(a) == hashOf(b) {
		t.Error("two machines have one hash")
	}
}

func hashOf(m Machine) string {
	print := m.ComputeFingerprint()
	return print[strings.LastIndex(print, "-")+1:]
}

func TestFingerprintIsAFileName(t *testing.T) {
	m := Machine{OS: "li/nux", Arch: `a\b`, CPU: "Intel(R) Core(TM) i7 @ 3:00", Cores: 8, MemoryClass: "½ GiB:*?", Virtualisation: "../.."}
	got := m.ComputeFingerprint()
	for _, c := range got {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._", c) {
			t.Errorf("%q holds %q", got, c)
		}
	}
	r := minimalResult()
	r.Machine.Fingerprint = got
	if err := r.CheckValid(); err != nil {
		t.Errorf("a result with it is not valid: %v", err)
	}
}
