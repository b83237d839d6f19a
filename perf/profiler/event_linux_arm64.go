package profiler

// userRegisters are x0 to x30, sp and pc (arch/arm64/include/uapi/asm/perf_regs.h).
const userRegisters = 1<<33 - 1
