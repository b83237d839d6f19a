// The subject of heaptrack.zst and dhat.json, and of the tests that record it anew: so
// many temporary allocations, a peak of 800,000 bytes, 4,096 bytes that leak, work for the
// CPU, and a wait.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

NOINLINE char *make(size_t n) {
  char *p = malloc(n);
  memset(p, 1, n);
  return p;
}

NOINLINE void temporary(int n) {
  for (int i = 0; i < n; i++) free(make(64));
}

NOINLINE void peak(void) {
  char *p[8];
  for (int i = 0; i < 8; i++) p[i] = make(100000);
  for (int i = 0; i < 8; i++) free(p[i]);
}

NOINLINE char *leak(void) { return make(4096); }

NOINLINE long spin(long n) {
  volatile long sum = 0;
  for (long i = 0; i < n; i++) sum += i;
  return sum;
}

NOINLINE void waits(long microseconds) { usleep(microseconds); }

// alloc TEMPORARY SPIN MICROSECONDS
int main(int argc, char **argv) {
  temporary(argc > 1 ? atoi(argv[1]) : 3);
  peak();
  char *kept = leak();
  if (argc > 2) spin(atol(argv[2]));
  if (argc > 3) waits(atol(argv[3]));
  return kept == NULL;
}
