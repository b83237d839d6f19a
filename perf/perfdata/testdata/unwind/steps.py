# Run by gdb: steps through a program by instructions and writes, after each step, the
# registers, the stack, and the callers that gdb finds. STEPS says where, as words
# "FUNCTION:COUNT:INSTRUCTIONS" in the order in which the program gets there: how often to
# step from the function's start on, and how far each time. STEPS_OUT names the file, text:
# "map START END OFFSET FILE" for what is mapped, then a "step" line with the 17 registers
# in DWARF's order, the stack as hexadecimal digits, and gdb's frames as ADDRESS@STACKPOINTER.
import os
import gdb

REGISTERS = "rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip".split()
DUMP = 8192


def run(command):
    gdb.execute(command, to_string=True)


def number(value):
    return int(value) & (1 << 64) - 1


def maps():
    pid = gdb.selected_inferior().pid
    with open("/proc/%d/maps" % pid) as f:
        for line in f:
            words = line.split(None, 5)
            if "x" in words[1] and len(words) == 6:
                start, end = words[0].split("-")
                yield "map %s %s %s %s" % (start, end, words[2], words[5].strip())


def stack(sp):
    # As perf copies it: up to the end of the mapping at most.
    with open("/proc/%d/maps" % gdb.selected_inferior().pid) as f:
        for line in f:
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            if start <= sp < end:
                size = min(DUMP, end - sp)
                return gdb.selected_inferior().read_memory(sp, size).tobytes().hex()
    return "-"


def chain():
    # Frames that were left by a tail call are not on the stack; gdb infers them.
    unreal = (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME)
    frame = gdb.newest_frame()
    while frame is not None and frame.pc() != 0:
        if frame.type() not in unreal:
            yield "%x@%x" % (frame.pc(), number(frame.read_register("rsp")))
        frame = frame.older()


def step():
    frame = gdb.newest_frame()
    values = [number(frame.read_register(r)) for r in REGISTERS]
    words = ["%x" % v for v in values]
    return "step %s %s %s" % (",".join(words), stack(values[7]), ",".join(chain()))


def go(stop, steps, every, out):
    stop.enabled = True
    run("continue" if gdb.selected_inferior().pid else "run")
    if gdb.selected_inferior().pid == 0:
        raise gdb.error("the program does not get to " + stop.location)
    stop.enabled = False
    for line in maps():
        out.write(line + "\n")
    for _ in range(steps):
        if gdb.selected_inferior().pid == 0:
            raise gdb.error(stop.location + " was stepped through up to the end of the program")
        out.write(step() + "\n")
        run("stepi %d" % every)


def main():
    for setting in ("pagination off", "confirm off", "backtrace past-main on", "backtrace past-entry on",
                    "backtrace limit 4000", "debuginfod enabled off", "disable-randomization on",
                    "breakpoint pending on", "scheduler-locking step", "print frame-info location", "print frame-arguments none"):
        try:
            run("set " + setting)
        except gdb.error:
            pass
    run("handle all nostop noprint pass")
    stops = []
    for word in os.environ["STEPS"].split():
        # All are set before the start: later a name would be looked up from where the
        # program stands.
        function, steps, every = word.rsplit(":", 2)
        stop = gdb.Breakpoint(function)
        stop.enabled = False
        stops.append((stop, int(steps), int(every)))
    with open(os.environ["STEPS_OUT"], "w") as out:
        for stop in stops:
            go(*stop, out)
    run("kill")


main()
