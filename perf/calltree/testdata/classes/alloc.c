#include <stdlib.h>
#include <string.h>
static void *keep[4096];
int main(void) { for (long i = 0; i < 60000000; i++) { int k = (i * 2654435761u) % 4096; free(keep[k]); keep[k] = malloc(16 + i % 3000); } return 0; }
