static inline int twice(int x) { volatile int y = x * 2; return y; }
static inline int both(int x) { return twice(x) + twice(x + 1); }
int called(int x) { for (int i = 0; i < x; i++) x ^= both(i); return x; }
int entry(int x) { if (x > 3) return called(x) + both(x); return twice(x); }
