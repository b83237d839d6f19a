// Package perfdata reads recordings of Linux perf by itself: the records of perf.data and
// of its pipe form, call chains, stack dumps unwound by .eh_frame and .debug_frame, symbols
// and inlined frames from ELF and DWARF. Out comes a profile in the pprof model.
//
// A [Writer] writes what the kernel gives to a recorder in the form of perf.data.
//
// It starts no process. The files that hold symbols are opened read-only, through an
// [Opener], and only under the paths that the recording names.
package perfdata
