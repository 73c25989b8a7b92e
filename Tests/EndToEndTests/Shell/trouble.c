// A disk and a clock that make trouble, for a program that is started with this in LD_PRELOAD: calls below the directory
// TROUBLE_DIRECTORY fail, and the calendar's clock is moved, as the file TROUBLE_CONTROL says at that moment. It holds three numbers
// of 8 bytes: the error number that changes fail with, the one that reads at an offset fail with, seconds added to the clock.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *control;
static const char *directory;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("TROUBLE_CONTROL");
    directory = getenv("TROUBLE_DIRECTORY");
    if (path == NULL || directory == NULL) return;
    int descriptor = open(path, O_RDONLY);
    if (descriptor < 0) return;
    void *memory = mmap(NULL, 24, PROT_READ, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (memory != MAP_FAILED) control = memory;
}

static int isBelow(const char *path) { return path != NULL && strncmp(path, directory, strlen(directory)) == 0; }

static int isBelowOpen(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t count = readlink(link, path, sizeof path - 1);
    if (count < 0) return 0;
    path[count] = 0;
    return isBelow(path);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_IF(number, condition) \
    do { if (control != NULL && control[number] != 0 && (condition)) { errno = (int)control[number]; return -1; } } while (0)

ssize_t pwrite(int d, const void *b, size_t n, off_t o) { FAIL_IF(0, isBelowOpen(d)); return NEXT(pwrite)(d, b, n, o); }
ssize_t pwrite64(int d, const void *b, size_t n, off64_t o) { FAIL_IF(0, isBelowOpen(d)); return NEXT(pwrite64)(d, b, n, o); }
ssize_t write(int d, const void *b, size_t n) { FAIL_IF(0, isBelowOpen(d)); return NEXT(write)(d, b, n); }
int ftruncate(int d, off_t n) { FAIL_IF(0, isBelowOpen(d)); return NEXT(ftruncate)(d, n); }
int ftruncate64(int d, off64_t n) { FAIL_IF(0, isBelowOpen(d)); return NEXT(ftruncate64)(d, n); }
int fallocate(int d, int m, off_t o, off_t n) { FAIL_IF(0, isBelowOpen(d)); return NEXT(fallocate)(d, m, o, n); }
int fsync(int d) { FAIL_IF(0, control[0] != EROFS && isBelowOpen(d)); return NEXT(fsync)(d); }
int fdatasync(int d) { FAIL_IF(0, control[0] != EROFS && isBelowOpen(d)); return NEXT(fdatasync)(d); }
int mkdir(const char *p, mode_t m) { FAIL_IF(0, isBelow(p)); return NEXT(mkdir)(p, m); }
int rmdir(const char *p) { FAIL_IF(0, isBelow(p)); return NEXT(rmdir)(p); }
int unlink(const char *p) { FAIL_IF(0, isBelow(p)); return NEXT(unlink)(p); }
int rename(const char *p, const char *q) { FAIL_IF(0, isBelow(p)); return NEXT(rename)(p, q); }

#define OPENER(name, ...) \
    mode_t mode = 0; \
    if (flags & O_CREAT) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } \
    FAIL_IF(0, (flags & (O_WRONLY | O_RDWR | O_CREAT)) && isBelow(p)); \
    return NEXT(name)(__VA_ARGS__, flags, mode);
int open(const char *p, int flags, ...) { OPENER(open, p) }
int open64(const char *p, int flags, ...) { OPENER(open64, p) }
int openat(int d, const char *p, int flags, ...) { OPENER(openat, d, p) }
int openat64(int d, const char *p, int flags, ...) { OPENER(openat64, d, p) }

ssize_t pread(int d, void *b, size_t n, off_t o) { FAIL_IF(1, isBelowOpen(d)); return NEXT(pread)(d, b, n, o); }
ssize_t pread64(int d, void *b, size_t n, off64_t o) { FAIL_IF(1, isBelowOpen(d)); return NEXT(pread64)(d, b, n, o); }
ssize_t sendfile(int s, int d, off_t *o, size_t n) { FAIL_IF(1, isBelowOpen(d)); return NEXT(sendfile)(s, d, o, n); }

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = NEXT(clock_gettime)(clock, time);
    if (result == 0 && clock == CLOCK_REALTIME && control != NULL) time->tv_sec += control[2];
    return result;
}
