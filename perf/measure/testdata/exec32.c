/*
 * exec32 PROGRAM is a 32-bit program that touches 80 MiB and executes PROGRAM at
 * once. It is built without a C library, which seldom comes for 32 bits.
 */
static int call(int number, int a, int b, int c, int d, int e)
{
	int result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory");
	return result;
}

enum { SYS_exit = 1, SYS_execve = 11, SYS_mmap = 90, size = 80 << 20 };

__attribute__((used)) static void run(int *stack)
{
	int argc = stack[0];
	char **argv = (char **)(stack + 1);
	/* old mmap takes a block: address, length, read and write, private and anonymous, no file */
	int block[6] = {0, size, 3, 0x22, -1, 0};
	volatile char *memory = (volatile char *)call(SYS_mmap, (int)block, 0, 0, 0, 0);

	for (int i = 0; i < size; i += 4096)
		memory[i] = 1;
	if (argc > 1)
		call(SYS_execve, (int)argv[1], (int)(argv + 1), (int)(argv + argc + 1), 0, 0);
	call(SYS_exit, 1, 0, 0, 0, 0);
}

__asm__(".globl _start\n_start:\n\tmov %esp, %eax\n\tpush %eax\n\tcall run\n");
