// What Swift's Glibc module leaves out: calls that need _GNU_SOURCE, and macros that the importer does not see.
// Every function here sets errno exactly as the call it names; there is no other logic in this target.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// An epoll event as Swift can hold it: struct epoll_event is packed, and its data a union.
struct clinux_event {
    uint32_t events;
    uint64_t cookie;
};

extern const uint32_t clinux_epollin;
extern const uint32_t clinux_epollout;
extern const uint32_t clinux_epollrdhup;
extern const uint32_t clinux_epollhup;
extern const uint32_t clinux_epollerr;
extern const uint32_t clinux_epollet;

int clinux_epoll_create(void);
int clinux_epoll_add(int epoll, int descriptor, uint32_t events, uint64_t cookie);
int clinux_epoll_modify(int epoll, int descriptor, uint32_t events, uint64_t cookie);
int clinux_epoll_remove(int epoll, int descriptor);
// At most 256 events a call.
int clinux_epoll_wait(int epoll, struct clinux_event *events, int count, int timeout_milliseconds);

int clinux_eventfd(void);
int clinux_accept(int listener, void *address, uint32_t *address_size);
int clinux_set_thread_name(const char *name);
int clinux_thread_id(void);

// openat with O_CLOEXEC added; `flags` are those of open(2).
int clinux_openat(int directory, const char *path, int flags, uint32_t mode);
extern const int clinux_o_path;
extern const int clinux_o_nofollow;
extern const int clinux_o_directory;
// Begins to write a range of the file to the disk, without waiting (sync_file_range(2)).
int clinux_start_writeback(int descriptor, int64_t offset, int64_t size);
// Pages of a stretch of a file that are in the page cache, read or being read (cachestat(2), Linux 6.5); -1 with errno.
int64_t clinux_cached_pages(int descriptor, int64_t offset, int64_t size);
// Reads one byte if that needs no wait (preadv2(2) with RWF_NOWAIT): 1, 0 at the end of the file, -1 with errno.
int clinux_read_without_waiting(int descriptor, int64_t offset);
// Asks for a stretch of a file to be read soon (POSIX_FADV_WILLNEED); 0, or an error number.
int clinux_will_need(int descriptor, int64_t offset, int64_t size);
int clinux_punch_hole(int descriptor, int64_t offset, int64_t size);
// Takes room for a stretch of a file, whose length stays as it is.
int clinux_reserve(int descriptor, int64_t offset, int64_t size);
// The size in bytes of the file system that a file is on; -1 and errno.
int64_t clinux_file_system_size(int descriptor);
// Processors that this process may run on, which a container or taskset(1) may have made fewer than the machine has.
int clinux_processor_count(void);
// One flock(2) attempt that does not wait.
int clinux_lock_exclusive(int descriptor);
int clinux_unlock(int descriptor);
// getdents64(2) into `buffer`; bytes filled, 0 at the end, -1 with errno.
ssize_t clinux_getdents(int descriptor, void *buffer, size_t size);
int clinux_pipe(int descriptors[2]);
// Columns and rows of the terminal behind the descriptor (TIOCGWINSZ); -1 with errno where there is none.
int clinux_terminal_size(int descriptor, int *columns, int *rows);
// Whether the process leaves a core file, and others of its user may look into it (PR_SET_DUMPABLE of prctl(2)).
int clinux_set_dumpable(bool is_dumpable);
// An argument where the kernel laid it down; NULL behind the last one.
char *clinux_argument(int index);
