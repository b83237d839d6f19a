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
// What a system cannot measure is absent, never zero: the Has fields and the
// reasons beside them tell. Linux measures everything; other Unix systems have
// no I/O, contention or memory of the tree, Windows has times alone.
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
