// Frames of every form that a C compiler writes: recursion, callbacks from the C library,
// variable arrays (the frame pointer is the base), realigned stacks (an expression is),
// calls through the PLT that are bound late, signals on the stack and on one of their own.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef BOTH
__asm__(".cfi_sections .eh_frame, .debug_frame"); // the same in both sections
#endif

#define KEEP __attribute__((noinline, noclone))

volatile uint64_t sink;

KEEP void stop_here(void) { sink++; }

KEEP uint64_t leaf(uint64_t x) { return x * 2654435761u + sink; }

KEEP uint64_t recurse(int depth, uint64_t x) {
  if (depth == 0) return leaf(x);
  uint64_t y = recurse(depth - 1, x + depth);
  return y ^ leaf(y + depth);
}

KEEP int compare(const void *a, const void *b) {
  uint64_t x = leaf(*(const uint64_t *)a), y = leaf(*(const uint64_t *)b);
  return (x > y) - (x < y);
}

KEEP uint64_t sorted(void) {
  uint64_t v[12];
  for (int i = 0; i < 12; i++) v[i] = i * 7919 % 13;
  qsort(v, 12, sizeof v[0], compare);
  return v[3];
}

KEEP uint64_t variable(int n) {
  char text[n];
  memset(text, n, n);
  snprintf(text, n, "%d-%s", n, "variable");
  return strlen(text) + recurse(2, n);
}

KEEP uint64_t realigned(int n) {
  uint64_t v[16] __attribute__((aligned(64)));
  char more[n];
  for (int i = 0; i < 16; i++) v[i] = leaf(i + n);
  memset(more, 1, n);
  return recurse(1, v[n & 15]) + more[n - 1];
}

// Six values that live across calls: all registers that a callee saves are in use.
KEEP uint64_t crowded(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) {
  uint64_t r = leaf(a);
  r += leaf(b + r); r ^= leaf(c * r); r += leaf(d + r); r ^= leaf(e * r); r += leaf(f + r);
  return r + a * b + c * d + e * f;
}

static void handler(int s) { sink += crowded(s, 2, 3, 4, 5, 6); }

KEEP void signalled(void) {
  struct sigaction a = {0};
  a.sa_handler = handler;
  sigaction(SIGUSR1, &a, 0);
  raise(SIGUSR1);
}

KEEP void signalled_elsewhere(void) {
  static char own[1 << 16];
  stack_t s = {.ss_sp = own, .ss_size = sizeof own};
  sigaltstack(&s, 0);
  struct sigaction a = {0};
  a.sa_handler = handler;
  a.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR2, &a, 0);
  raise(SIGUSR2);
}

static jmp_buf out;
KEEP void jump(int n) {
  if (n == 0) longjmp(out, 1);
  jump(n - 1);
  sink++;
}

KEEP uint64_t all(int n) {
  uint64_t r = recurse(4, n) + variable(40 + n) + realigned(20 + n) + crowded(n, 1, 2, 3, 4, 5);
  r += sorted();
  if (setjmp(out) == 0) jump(3);
  char *p = malloc(100 + n);
  p[0] = n;
  sink += (uintptr_t)p;
  r += strtoul("1234", 0, 10) + p[0];
  free(p);
  signalled();
  signalled_elsewhere();
  return r;
}

int main(int argc, char **argv) {
  stop_here();
  uint64_t r = all(argc);
  stop_here();
  return r == 42;
}
