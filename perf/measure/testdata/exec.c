/*
 * exec MODE MEGABYTES PROGRAM touches that much memory and then gives it up by
 * execve, in the way that MODE names:
 *
 *	once      executes PROGRAM at once
 *	at        does so by execveat
 *	filter    does so under a seccomp filter of its own, which allows everything
 *	thread    does so from a thread that is not the first, while others run
 *	growing   executes itself while another thread still takes the memory, and
 *	          prints how many bytes that came to have
 *	fails     executes what is not there, and gives the memory back by exiting
 *	vfork     executes PROGRAM ten times in a vfork child, in the parent's memory
 *	orphan    takes the memory in a child that shares it (CLONE_VM) and outlives the parent
 *	both      executes PROGRAM in a child that shares the memory, and in itself
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char **words;
static size_t size;
static volatile size_t *taken; /* in a file, which execve leaves alone */

static void die(const char *what)
{
	perror(what);
	_exit(1);
}

static void touch(size_t n)
{
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	for (size_t i = 0; i < n; i += 4096)
		p[i] = 1;
}

static void execute(void)
{
	execve(words[0], words, environ);
	die(words[0]);
}

static void filter(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {1, &allow};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		die("seccomp");
}

static void *executor(void *unused)
{
	execute();
	return unused;
}

static void *grower(void *unused)
{
	for (size_t i = 0; i < size; i += 1 << 16) {
		touch(1 << 16);
		*taken = i + (1 << 16);
	}
	return unused;
}

static void *idler(void *unused)
{
	pause();
	return unused;
}

static void start(void *(*f)(void *))
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, f, NULL);

	if (err != 0) {
		errno = err;
		die("pthread_create");
	}
}

static int orphan(void *unused)
{
	while (getppid() == *(pid_t *)unused)
		usleep(1000);
	touch(size);
	_exit(0);
}

static int child_executes(void *unused)
{
	execute();
	return unused != NULL;
}

static void grow_and_execute(char *self)
{
	static char text[20];
	int fd = memfd_create("taken", 0);

	if (fd < 0 || ftruncate(fd, sizeof *taken) != 0)
		die("memfd_create");
	taken = mmap(NULL, sizeof *taken, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (taken == MAP_FAILED)
		die("mmap");
	start(grower);
	while (*taken < size / 2)
		;
	snprintf(text, sizeof text, "%d", fd);
	execl(self, self, "report", text, "", NULL);
	die(self);
}

static int report(int fd)
{
	size_t n;

	if (read(fd, &n, sizeof n) != sizeof n)
		die("read");
	printf("%zu\n", n);
	return 0;
}

static void share(int (*f)(void *), void *arg)
{
	static char stack[1 << 18] __attribute__((aligned(16)));

	if (clone(f, stack + sizeof stack, CLONE_VM | SIGCHLD, arg) < 0)
		die("clone");
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	const char *mode = argv[1];
	size = (size_t)atol(argv[2]) << 20;
	words = argv + 3;

	if (strcmp(mode, "orphan") == 0) {
		static pid_t self;
		self = getpid();
		share(orphan, &self);
		return 0;
	}
	if (strcmp(mode, "growing") == 0)
		grow_and_execute(argv[0]);
	if (strcmp(mode, "report") == 0)
		return report(atoi(argv[2]));
	touch(size);
	if (strcmp(mode, "once") == 0)
		execute();
	if (strcmp(mode, "at") == 0) {
		syscall(SYS_execveat, AT_FDCWD, words[0], words, environ, 0);
		die("execveat");
	}
	if (strcmp(mode, "filter") == 0) {
		filter();
		execute();
	}
	if (strcmp(mode, "thread") == 0) {
		start(idler);
		start(executor);
		start(idler);
		pause();
	}
	if (strcmp(mode, "fails") == 0) {
		execve("/no/such/program", words, environ);
		return errno != ENOENT;
	}
	if (strcmp(mode, "both") == 0) {
		share(child_executes, NULL);
		execute();
	}
	if (strcmp(mode, "vfork") != 0)
		return 2;
	for (int i = 0; i < 10; i++) {
		if (vfork() == 0)
			execute();
		wait(NULL);
	}
	return 0;
}
