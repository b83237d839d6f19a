// A library that program.c loads while it runs.
static unsigned long __attribute__((noinline)) inner(unsigned long n) {
  unsigned long s = 7;
  for (unsigned long i = 0; i < n; i++) s = s * 33 ^ i;
  return s;
}

unsigned long plugged(unsigned long n) { return inner(n) + inner(n / 2); }
