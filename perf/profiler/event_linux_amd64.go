package profiler

// userRegisters are the general registers of a thread (arch/x86/include/uapi/asm/perf_regs.h),
// without the segment registers ds, es, fs and gs, which the kernel refuses.
const userRegisters = 0xff0fff
