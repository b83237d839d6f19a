// Package measure runs one process and reports its wall, user and system time,
// faults, I/O and output, and in a run of its own the memory of its whole
// process tree. It starts the process itself instead of through os/exec, which
// costs 25 to 50 µs more, and it ends whatever the process leaves behind.
//
// A timed run (Command.Run) is disturbed by nothing: the pipes are drained by
// the thread that waits, and everything read from /proc is read before the start
// or after the end. A memory run (Command.RunMemory) traces and samples, and its
// times mean nothing. Both are single observations: how often to repeat, warm
// up or interleave is for the caller (package experiment), and what the numbers
// say is for package stats.
//
// A command that does not end but watches files (Watch) is followed by its lines: a
// reload is timed from the save of a file to the line with its result. Its pipes are
// drained by the same loop, which stamps the lines when it reads them.
//
// What a system cannot measure is absent, never zero: the Has fields and the
// reasons beside them tell. Linux measures everything; other Unix systems have
// no I/O, contention or memory of the tree, Windows has times alone.
//
// # What is in the wall time
//
// The clock starts just before fork and stops when this process has reaped the
// command, so execve, the loader and the kernel's own tear-down count. On Linux so do
// the 15 µs in which the accounts are read that the kernel drops at the reaping
// (I/O and run delay). For /bin/true the sum is a little more than what a C program
// measures which calls posix_spawn and wait4 in a loop (BenchmarkOverhead): 3 to 4 %
// where both move between CPUs on a quiet machine, 8 to 12 %
// when all is pinned to one CPU, which the C loop keeps warm, or when no CPU is idle.
//
// # How memory is measured on Linux
//
// Three figures, because no single one is true of a tree. The sum of resident
// sets counts a page once for each process that shares it. The sum of
// proportional sets counts it once in all, but takes milliseconds to read, so it
// is sampled, and read at exits, which are ptrace(2) events: a process that
// lives for one millisecond has its memory still when it is about to exit. Their
// upper bound is the sum of the high-water marks of the processes alive: marks
// only grow and the set of processes only shrinks at an exit, so the greatest
// sum is met by looking at every exit. As execve begins a new mark, it is looked at
// on the way into execve too, of which a seccomp filter tells the tracer that the
// command is given before its first instruction (amd64); elsewhere, or where filters
// are refused, every system call stops the command, which makes a memory run up to
// ten times as long. Memory counts by address space, so that a vfork child does not
// count again what is its parent's. The marks are as exact as the kernel's own
// counts, which before Linux 6.17 lag by some pages for each CPU.
//
// The figures never come from ru_maxrss. For a process started by vfork, as Go
// and posix_spawn do, the kernel folds the peak of the parent into it, and a
// runner with a heap of 300 MiB would find 300 MiB in /bin/true.
//
// # What is ended, and what is not
//
// When a Run returns, the command and all its descendants are gone, daemons in
// sessions of their own included (Linux; Windows by a job object; elsewhere the
// process group). When this process is killed while it measures, the kernel
// ends the command itself by its parent-death signal, and under trace the whole
// tree; descendants of a timed command can survive that: they are nobody's
// children then, and a process that outlives this one finds and ends them (Warden, Linux).
//
// # Side effects on this process
//
// On Linux this process is the child subreaper (prctl(2)) while a run goes on,
// so that daemons of the command can be found. Children of this process that
// are in its own session, as all children of os/exec are by default, are never
// touched. A child that the caller itself starts with Setsid must be started
// while no run goes on: one that appears during a run looks like a daemon of
// the measured command, and is ended as such.
package measure
