// A program without any library, so that it is small: recursion, a fork, and a function that
// keeps no frame pointer. gcc -O2 -nostdlib -static.
static long call(long number, long a, long b, long c, long d) {
  long out;
  register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall" : "=a"(out) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
  return out;
}

__attribute__((noinline)) unsigned long leaf(unsigned long n) {
  unsigned long s = n;
  for (unsigned long i = 0; i < n; i++) s = s * 31 ^ i;
  return s;
}

__attribute__((noinline)) unsigned long recursion(int depth, unsigned long n) {
  volatile unsigned long room[4];
  room[depth & 3] = n;
  if (depth == 0) return leaf(n);
  return recursion(depth - 1, n) + room[depth & 3];
}

__attribute__((noinline)) unsigned long parent(int rounds) {
  unsigned long s = 0;
  for (int i = 0; i < rounds; i++) s += recursion(i % 8, 40000);
  return s;
}

__attribute__((noinline)) unsigned long child(int rounds) {
  unsigned long s = 0;
  for (int i = 0; i < rounds; i++) s += leaf(40000) + recursion(3, 20000);
  return s;
}

__attribute__((noinline)) void naps(int rounds) {
  long nap[2] = {0, 1000000};
  for (int i = 0; i < rounds; i++) call(35, (long)nap, 0, 0, 0); // nanosleep
}

int work(void) {
  unsigned long s = parent(1500);
  long pid = call(57, 0, 0, 0, 0); // fork
  if (pid == 0) {
    s += child(400);
    call(231, s == 1, 0, 0, 0); // exit_group
  }
  call(61, pid, 0, 0, 0); // wait4
  naps(5);
  return s == 1;
}

__asm__(
    ".globl _start\n"
    "_start:\n"
    ".cfi_startproc\n"
    ".cfi_undefined rip\n"
    "xor %ebp, %ebp\n"
    "and $-16, %rsp\n"
    "call work\n"
    "mov %eax, %edi\n"
    "mov $231, %eax\n"
    "syscall\n"
    ".cfi_endproc\n");
