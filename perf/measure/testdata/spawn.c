/*
 * spawn ROUNDS PAUSE PROGRAM [ARG...] starts PROGRAM that many times, with a
 * pause of so many microseconds before each, by posix_spawn, with an empty standard input and pipes for its output, waits for each
 * with wait4, and prints the wall time of each in nanoseconds, one a line. It is
 * the least that a program can do to time another, and so what this package's
 * own overhead is held against.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void check(int err, const char *what)
{
	if (err != 0) {
		fprintf(stderr, "%s: %s\n", what, strerror(err));
		exit(1);
	}
}

static long long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long once(char **argv)
{
	posix_spawn_file_actions_t actions;
	int out[2], err[2], status;
	struct rusage usage;
	pid_t pid;

	check(pipe2(out, O_CLOEXEC) ? errno : 0, "pipe2");
	check(pipe2(err, O_CLOEXEC) ? errno : 0, "pipe2");
	check(posix_spawn_file_actions_init(&actions), "file actions");
	check(posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0), "open");
	check(posix_spawn_file_actions_adddup2(&actions, out[1], 1), "dup2");
	check(posix_spawn_file_actions_adddup2(&actions, err[1], 2), "dup2");

	long long start = now();
	check(posix_spawn(&pid, argv[0], &actions, NULL, argv, environ), argv[0]);
	while (wait4(pid, &status, 0, &usage) < 0)
		check(errno == EINTR ? 0 : errno, "wait4");
	long long wall = now() - start;

	posix_spawn_file_actions_destroy(&actions);
	close(out[0]);
	close(out[1]);
	close(err[0]);
	close(err[1]);
	return wall;
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: spawn ROUNDS PAUSE PROGRAM [ARG...]\n");
		return 2;
	}
	long pause = atol(argv[2]);

	for (long n = atol(argv[1]); n > 0; n--) {
		if (pause > 0)
			usleep(pause);
		printf("%lld\n", once(argv + 3));
	}
	return 0;
}
