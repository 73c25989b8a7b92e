#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

const uint32_t clinux_epollin = EPOLLIN;
const uint32_t clinux_epollout = EPOLLOUT;
const uint32_t clinux_epollrdhup = EPOLLRDHUP;
const uint32_t clinux_epollhup = EPOLLHUP;
const uint32_t clinux_epollerr = EPOLLERR;
const uint32_t clinux_epollet = EPOLLET;
const int clinux_o_path = O_PATH;
const int clinux_o_nofollow = O_NOFOLLOW;
const int clinux_o_directory = O_DIRECTORY;

int clinux_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

static int control(int epoll, int operation, int descriptor, uint32_t events, uint64_t cookie) {
    struct epoll_event event = {.events = events, .data.u64 = cookie};
    return epoll_ctl(epoll, operation, descriptor, &event);
}
int clinux_epoll_add(int epoll, int descriptor, uint32_t events, uint64_t cookie) {
    return control(epoll, EPOLL_CTL_ADD, descriptor, events, cookie);
}
int clinux_epoll_modify(int epoll, int descriptor, uint32_t events, uint64_t cookie) {
    return control(epoll, EPOLL_CTL_MOD, descriptor, events, cookie);
}
int clinux_epoll_remove(int epoll, int descriptor) { return control(epoll, EPOLL_CTL_DEL, descriptor, 0, 0); }

int clinux_epoll_wait(int epoll, struct clinux_event *events, int count, int timeout_milliseconds) {
    enum { most = 256 };
    struct epoll_event kernel[most];
    int ready = epoll_wait(epoll, kernel, count < most ? count : most, timeout_milliseconds);
    for (int i = 0; i < ready; i++) {
        events[i].events = kernel[i].events;
        events[i].cookie = kernel[i].data.u64;
    }
    return ready;
}

int clinux_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
int clinux_accept(int listener, void *address, uint32_t *address_size) {
    return accept4(listener, address, address_size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
int clinux_set_thread_name(const char *name) {
    int code = pthread_setname_np(pthread_self(), name);
    if (code != 0) errno = code;
    return code == 0 ? 0 : -1;
}
int clinux_thread_id(void) { return (int)syscall(SYS_gettid); }

int clinux_openat(int directory, const char *path, int flags, uint32_t mode) {
    return openat(directory, path, flags | O_CLOEXEC, (mode_t)mode);
}
int64_t clinux_cached_pages(int descriptor, int64_t offset, int64_t size) {
    // As in linux/mman.h of 6.5 and up; the number is the same on every machine.
    enum { cachestat = 451 };
    struct { uint64_t offset, size; } range = {(uint64_t)offset, (uint64_t)size};
    struct { uint64_t cached, dirty, writeback, evicted, recently_evicted; } found = {0};
    return syscall(cachestat, descriptor, &range, &found, 0) == 0 ? (int64_t)found.cached : -1;
}
int clinux_read_without_waiting(int descriptor, int64_t offset) {
    char byte;
    struct iovec place = {&byte, 1};
    return (int)preadv2(descriptor, &place, 1, offset, RWF_NOWAIT);
}
int clinux_will_need(int descriptor, int64_t offset, int64_t size) {
    return posix_fadvise(descriptor, offset, size, POSIX_FADV_WILLNEED);
}
int clinux_punch_hole(int descriptor, int64_t offset, int64_t size) {
    return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
}
int clinux_reserve(int descriptor, int64_t offset, int64_t size) {
    return fallocate(descriptor, FALLOC_FL_KEEP_SIZE, offset, size);
}
int64_t clinux_file_system_size(int descriptor) {
    struct statvfs status;
    if (fstatvfs(descriptor, &status) != 0) return -1;
    return (int64_t)status.f_blocks * (int64_t)status.f_frsize;
}
int clinux_start_writeback(int descriptor, int64_t offset, int64_t size) {
    return sync_file_range(descriptor, offset, size, SYNC_FILE_RANGE_WRITE);
}
int clinux_lock_exclusive(int descriptor) { return flock(descriptor, LOCK_EX | LOCK_NB); }
int clinux_unlock(int descriptor) { return flock(descriptor, LOCK_UN); }
ssize_t clinux_getdents(int descriptor, void *buffer, size_t size) {
    return syscall(SYS_getdents64, descriptor, buffer, size);
}
int clinux_processor_count(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
}
int clinux_pipe(int descriptors[2]) { return pipe2(descriptors, O_CLOEXEC); }

int clinux_terminal_size(int descriptor, int *columns, int *rows) {
    struct winsize size;
    if (ioctl(descriptor, TIOCGWINSZ, &size) != 0) return -1;
    *columns = size.ws_col;
    *rows = size.ws_row;
    return 0;
}

int clinux_set_dumpable(bool is_dumpable) { return prctl(PR_SET_DUMPABLE, is_dumpable ? 1 : 0, 0, 0, 0); }

// glibc hands the arguments to every initializer; Swift keeps a copy only.
static char **arguments;
static int argument_count;
__attribute__((constructor)) static void keep_arguments(int count, char **values) {
    argument_count = count;
    arguments = values;
}
char *clinux_argument(int index) { return index < argument_count ? arguments[index] : NULL; }
