// Threads, recursion, signals, fork, exec and a library that is loaded while it runs: what a
// recording has to be read by. PROGRAM ROUNDS [LIBRARY].
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile unsigned long sink;

__attribute__((noinline)) unsigned long leaf(unsigned long n) {
  unsigned long s = 0;
  for (unsigned long i = 0; i < n; i++) s += i * i ^ s >> 3;
  return s;
}

static inline unsigned long copied(unsigned long n) {
  unsigned long s = 1;
  for (unsigned long i = 0; i < n; i++) s = s * 31 + i;
  return s;
}

__attribute__((noinline)) unsigned long recursion(int depth, unsigned long n) {
  if (depth == 0) return leaf(n) + copied(n);
  return recursion(depth - 1, n) + 1;
}

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

__attribute__((noinline)) void sorting(int n) {
  int *a = malloc(n * sizeof *a);
  for (int i = 0; i < n; i++) a[i] = rand();
  qsort(a, n, sizeof *a, compare);
  sink += a[0];
  free(a);
}

__attribute__((noinline)) void printing(int n) {
  char text[256];
  for (int i = 0; i < n; i++) snprintf(text, sizeof text, "%d %f %s", i, i * 1.5, "text");
  sink += strlen(text);
}

static void on_alarm(int number) { sink += leaf(3000); }

static void *thread(void *rounds) {
  for (long i = 0; i < (long)rounds; i++) {
    sink += recursion(20, 5000);
    sorting(3000);
  }
  return 0;
}

static void loaded(const char *path, int rounds) {
  void *library = dlopen(path, RTLD_NOW);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  unsigned long (*plugged)(unsigned long) = (unsigned long (*)(unsigned long))dlsym(library, "plugged");
  for (int i = 0; i < rounds; i++) sink += plugged(10000);
  dlclose(library);
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 100;
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, 0);
  struct itimerval every = {{0, 1000}, {0, 1000}}, never = {0};
  setitimer(ITIMER_REAL, &every, 0);
  pthread_t other;
  pthread_create(&other, 0, thread, (void *)(long)rounds);
  for (int i = 0; i < rounds; i++) {
    sink += recursion(i % 40, 5000);
    sorting(2000);
    printing(30);
  }
  pthread_join(other, 0);
  setitimer(ITIMER_REAL, &never, 0);
  if (argc > 2) loaded(argv[2], rounds);
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < rounds; i++) sink += recursion(5, 5000);
    // Once: the program that is begun here has the environment variable.
    if (getenv("PROGRAM_AGAIN")) _exit(0);
    setenv("PROGRAM_AGAIN", "1", 1);
    execl(argv[0], argv[0], "10", argc > 2 ? argv[2] : (char *)0, (char *)0);
    _exit(1);
  }
  waitpid(child, 0, 0);
  return 0;
}
