/* trace-self wants to be traced by its parent, and exits with 97 where it may not. */
#include <sys/ptrace.h>

int main(void)
{
	return ptrace(PTRACE_TRACEME, 0, 0, 0) == 0 ? 0 : 97;
}
