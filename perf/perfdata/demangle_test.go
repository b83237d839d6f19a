package perfdata

import "testing"

func TestDemangle(t *testing.T) {
	for _, tc := range []struct{ name, want string }{
		{"main", "main"},
		{"main.(*T).f", "main.(*T).f"},
		{"_Z5outerd", "outer(double)"},
		{"_Z5outerd@plt", "outer(double)@plt"},
		{"malloc@plt", "malloc@plt"},
		{"_ZN12_GLOBAL__N_14anonEiRKSt6vectorIdSaIdEE.constprop.0", "(anonymous namespace)::anon(int, std::vector<double, std::allocator<double> > const&) [clone .constprop.0]"},
		{"_ZNK2ns3BoxIdE4workEi.isra.0", "ns::Box<double>::work(int) const [clone .isra.0]"},
		// What the library makes _rust_begin_short_backtrace of.
		{"_ZN3std3sys9backtrace28__rust_begin_short_backtrace17h159fc2c106308598E", "std::sys::backtrace::__rust_begin_short_backtrace"},
		{"_ZN34_$LT$r..Sq$u20$as$u20$r..Shape$GT$4area17hcaecfa1b370c5b89E", "<r::Sq as r::Shape>::area"},
		{"_ZN4core3ops8function6FnOnce40call_once$u7b$$u7b$vtable.shim$u7d$$u7d$17h9f2f0d1e0c668848E.llvm.123", "core::ops::function::FnOnce::call_once{{vtable.shim}}"},
		{"_ZN1r4oddX$what$u20$17h9f2f0d1e0c668848E", "_ZN1r4oddX$what$u20$17h9f2f0d1e0c668848E"}, // lengths are wrong
		{"_ZN1r9$XX$u20$a17h9f2f0d1e0c668848E", "r::$XX$u20$a"},
		{"_RINvCs6GmmlP4bgsG_1r7genericfEB2_", "r::generic::<f32>"},
		{"_RNvXCs6GmmlP4bgsG_1rNtB2_2SqNtB2_5Shape4area", "<r::Sq as r::Shape>::area"},
		{"_RINvNtNtCsjrHSEGnQ3l9_3std3sys9backtrace28___rust_begin_short_backtraceFEuuECs6GmmlP4bgsG_1r", "std::sys::backtrace::__rust_begin_short_backtrace::<fn(), ()>"},
		{"_Znot", "_Znot"},
		{"_R", "_R"},
		{"_ZN3foo17h0000000000000000E", "foo::h0000000000000000"}, // no hash has so few digits
		{"", ""},
	} {
		if got := demangleName(tc.name); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

// FuzzDemangle checks that no name makes the demangler panic, or write without an end.
func FuzzDemangle(f *testing.F) {
	f.Add("_ZN34_$LT$r..Sq$u20$as$u20$r..Shape$GT$4area17hcaecfa1b370c5b89E")
	f.Add("_ZSt4moveIRSt6vectorIdSaIdEEEONSt16remove_referenceIT_E4typeEOS5_")
	f.Add("_RINvNtNtCsjrHSEGnQ3l9_3std3sys9backtrace28___rust_begin_short_backtraceFEuuECs6GmmlP4bgsG_1r")
	f.Fuzz(func(t *testing.T, name string) {
		if got := demangleName(name); len(got) > 16<<maxDemangled+16*len(name) {
			t.Errorf("%d bytes came of %d", len(got), len(name))
		}
	})
}
