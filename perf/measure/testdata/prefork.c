/*
 * prefork MEGABYTES CHILDREN touches that much memory and then forks children
 * that share it untouched. All live until the last has said that it is there:
 * they take the memory once, though each has it in its resident set.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	size_t size = (argc > 2 ? atol(argv[1]) : 0) << 20;
	int children = argc > 2 ? atoi(argv[2]) : 0;
	char *memory = malloc(size);
	int ready[2], go[2];
	char c = 0;

	if (memory == NULL || pipe(ready) != 0 || pipe(go) != 0) {
		perror("prefork");
		return 1;
	}
	memset(memory, 1, size);
	for (int i = 0; i < children; i++) {
		if (fork() != 0)
			continue;
		close(go[1]);
		if (write(ready[1], &c, 1) != 1 || read(go[0], &c, 1) != 0)
			_exit(1);
		_exit(0);
	}
	for (int i = 0; i < children; i++)
		if (read(ready[0], &c, 1) != 1)
			return 1;
	close(go[1]);
	while (wait(NULL) > 0)
		;
	return memory[size - 1] - 1;
}
