// work KIND does one kind of work for about 50 ms of a machine that is free, and little else.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned sum;

__attribute__((noinline)) static void burn(long n) {
	for (long i = 0; i < n; i++) sum = sum * 31 + (unsigned)i;
}

__attribute__((noinline)) static void allocate(int rounds) {
	enum { blocks = 512 };
	static void *live[blocks];
	for (int r = 0; r < rounds; r++)
		for (int i = 0; i < blocks; i++) {
			free(live[i]);
			live[i] = malloc((size_t)(16 + 97 * (i % 64)));
			*(volatile char *)live[i] = 1;
		}
}

__attribute__((noinline)) static void wait_for_nothing(void) {
	struct timespec t = {0, 50 * 1000 * 1000};
	nanosleep(&t, NULL);
}

__attribute__((noinline)) static void write_file(void) {
	static char block[4096];
	memset(block, 'x', sizeof block);
	int fd = open("/dev/shm/triage-work", O_CREAT | O_WRONLY | O_TRUNC, 0600);
	if (fd < 0) exit(1);
	unlink("/dev/shm/triage-work");
	for (int r = 0; r < 40; r++) {
		if (lseek(fd, 0, SEEK_SET) != 0) exit(1);
		for (int i = 0; i < 512; i++)
			if (write(fd, block, sizeof block) != (ssize_t)sizeof block) exit(1);
	}
	close(fd);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *contend(void *unused) {
	(void)unused;
	for (int i = 0; i < 20; i++) {
		struct timespec t = {0, 500 * 1000};
		pthread_mutex_lock(&lock);
		nanosleep(&t, NULL); // what is done under the lock
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

int main(int argc, char **argv) {
	const char *kind = argc > 1 ? argv[1] : "";
	if (!strcmp(kind, "burn")) burn(60 * 1000 * 1000);
	else if (!strcmp(kind, "allocate")) allocate(2000);
	else if (!strcmp(kind, "wait")) wait_for_nothing();
	else if (!strcmp(kind, "write")) write_file();
	else if (!strcmp(kind, "lock")) {
		pthread_t t[6];
		for (int i = 0; i < 6; i++) pthread_create(&t[i], NULL, contend, NULL);
		for (int i = 0; i < 6; i++) pthread_join(t[i], NULL);
	} else return 2;
	return 0;
}
