# Run by gdb: steps through a program by single instructions and writes, for each, the
# registers, the stack, and the callers that gdb finds. STEPS_OUT names the file, in text:
# "map START END OFFSET FILE" for what is mapped, then a "step" line with the 17 registers
# in DWARF's order, the stack as hexadecimal digits, and the addresses of gdb's frames.
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
    inferior = gdb.selected_inferior()
    for size in (DUMP, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8):
        try:
            return inferior.read_memory(sp, size).tobytes().hex()
        except gdb.MemoryError:
            pass
    return "-"


def chain():
    # Frames that were left by a tail call are not on the stack; gdb infers them.
    unreal = (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME)
    frame = gdb.newest_frame()
    while frame is not None:
        if frame.type() not in unreal:
            yield "%x" % frame.pc()
        frame = frame.older()


def step():
    frame = gdb.newest_frame()
    values = [number(frame.read_register(r)) for r in REGISTERS]
    words = ["%x" % v for v in values]
    return "step %s %s %s" % (",".join(words), stack(values[7]), ",".join(chain()))


def main():
    steps, every = int(os.environ["STEPS"]), int(os.environ.get("STEPS_EVERY", "1"))
    for setting in ("pagination off", "confirm off", "backtrace past-main on", "backtrace past-entry on",
                    "backtrace limit 4000", "debuginfod enabled off", "disable-randomization on"):
        try:
            run("set " + setting)
        except gdb.error:
            pass
    run("break " + os.environ["STEPS_BREAK"])
    run("handle all nostop noprint pass")
    run("run")
    out = open(os.environ["STEPS_OUT"], "w")
    out.write("\n".join(maps()) + "\n")
    for _ in range(steps):
        out.write(step() + "\n")
        run("stepi %d" % every)
        if gdb.selected_inferior().pid == 0:
            break
    out.close()
    run("kill")


main()
