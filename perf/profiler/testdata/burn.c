// A subject that takes CPU time in known functions in known shares: 60 % in heavy, 30 % in
// middle and 10 % in light, each called through deeper.
//
//   burn alone MILLISECONDS     in one thread
//   burn threads MILLISECONDS   in two threads, so long in each
//   burn children MILLISECONDS  in a child that it forks, and in one that calls exec
//   burn root MILLISECONDS      as alone, and fails where it is not root
//   burn phases MICROSECONDS    so long in first, and then as long in second, in a thread
//   burn forever                until it is killed: it and its child ignore SIGINT and SIGTERM
//
// Where BURN_REPORT names a file, each process that does such work adds a line to it: the
// nanoseconds of CPU time that heavy, middle and light have had by the thread's clock.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

// Neither the C library nor the kernel's page of code keeps frame pointers: the frame that is
// lost above them has to be this one.
NOINLINE static long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}

// The clock is read here and not by a caller: it is a system call, at whose end a thread often
// leaves its CPU, and has some percent of the time. Between two looks about 0.2 ms pass.
#define WORK                                    \
  volatile long sum = 0;                        \
  while (now() < end)                           \
    for (long i = 0; i < 100000; i++) sum += i; \
  return sum

NOINLINE static long heavy(long end) { WORK; }
NOINLINE static long middle(long end) { WORK; }
NOINLINE static long light(long end) { WORK; }

NOINLINE static long deeper(int n, long (*f)(long), long end) {
  return n == 0 ? f(end) + 1 : deeper(n - 1, f, end) + 1;
}

// What each of the three has had, in all threads of this process.
static _Atomic long took[3];

static void report(void) {
  const char *name = getenv("BURN_REPORT");
  if (name == NULL || took[0] == 0) return;
  int fd = open(name, O_WRONLY | O_CREAT | O_APPEND, 0666);
  if (fd < 0 || dprintf(fd, "%ld %ld %ld\n", took[0], took[1], took[2]) < 0) _exit(1);
  close(fd);
}

NOINLINE static void shares(long ms) {
  // In rounds of 20 ms, so that what disturbs the machine meets all of them.
  for (long t = now(), end = t + ms * 1000000; t < end; t += 20000000) {
    long begin = now();
    deeper(8, heavy, t + 12000000);
    long one = now();
    deeper(8, middle, t + 18000000);
    long two = now();
    deeper(8, light, t + 20000000);
    took[0] += one - begin;
    took[1] += two - one;
    took[2] += now() - two;
  }
}

// Of two functions that are the same a compiler makes one.
NOINLINE static void first(long end) {
  while (now() < end) continue;
}

NOINLINE static void second(long end) {
  while (end > now()) __asm__ volatile("nop");
}

// A thread has no life before its function: what a moment of it is in is the same in each run.
static void *phases(void *us) {
  long t = now();
  first(t + (long)us * 1000);
  second(t + 2 * (long)us * 1000);
  return NULL;
}

NOINLINE static void *thread(void *ms) {
  shares((long)ms);
  return NULL;
}

static void threads(long ms) {
  pthread_t t[2];
  for (int i = 0; i < 2; i++) pthread_create(&t[i], NULL, thread, (void *)ms);
  for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
}

static void in_thread(void *(*f)(void *), long arg) {
  pthread_t t;
  pthread_create(&t, NULL, f, (void *)arg);
  pthread_join(t, NULL);
}

NOINLINE static void forked(long ms) { shares(ms); }

static void children(char *self, char *ms) {
  if (fork() == 0) {
    forked(atol(ms));
    report();
    _exit(0);
  }
  if (fork() == 0) {
    execl(self, "burn-child", "alone", ms, (char *)NULL);
    _exit(1);
  }
  int status, failed = 0;
  while (wait(&status) > 0) failed |= status;
  if (failed) exit(1);
}

static void forever(void) {
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  fork();
  printf("%d\n", getpid());
  fflush(stdout);
  for (;;) shares(1000);
}

int main(int argc, char **argv) {
  if (argc > 2 && strcmp(argv[1], "alone") == 0) shares(atol(argv[2]));
  else if (argc > 2 && strcmp(argv[1], "threads") == 0) threads(atol(argv[2]));
  else if (argc > 2 && strcmp(argv[1], "phases") == 0) in_thread(phases, atol(argv[2]));
  else if (argc > 2 && strcmp(argv[1], "children") == 0) children(argv[0], argv[2]);
  else if (argc > 2 && strcmp(argv[1], "root") == 0) {
    shares(atol(argv[2]));
    return geteuid() != 0;
  } else if (argc > 1 && strcmp(argv[1], "forever") == 0) forever();
  else return 2;
  report();
  return 0;
}
