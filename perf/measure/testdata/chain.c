/*
 * chain forks without end: every process begins a session, forks the next and
 * exits at once, so that none lives long enough to be looked at in peace.
 */
#include <unistd.h>

int main(void)
{
	for (;;) {
		if (fork() > 0)
			_exit(0);
		setsid();
	}
}
