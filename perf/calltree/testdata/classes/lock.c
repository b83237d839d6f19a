#include <pthread.h>
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static volatile long n;
static void *work(void *x) { for (int i = 0; i < 30000000 / 4; i++) { pthread_mutex_lock(&mu); n++; pthread_mutex_unlock(&mu); } return 0; }
int main(void) { pthread_t t[4]; for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, work, 0); for (int i = 0; i < 4; i++) pthread_join(t[i], 0); return 0; }
