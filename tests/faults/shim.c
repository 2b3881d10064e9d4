/* Preloaded into a trainer: counts the calls that change files below one folder, and logs them,
 * makes the n-th fail, or kills the process at it.
 *
 *   gcc -O1 -fPIC -shared -o shim.so shim.c -ldl
 *
 * The struct at the end of a file that fault_control() maps tells what to do. It is shared with
 * forks, so that a test changes it before it forks a trainer, and reads afterwards how many calls
 * there were and whether the fault fired.
 *
 * The log has for each call a line "kind path path2 inode offset size" (separated by tabs), behind
 * which a write has its bytes; the kind of a call that did not succeed is "failed". For an injected
 * fault it has a line "fired kind path". One lock is held over a call and its line, so the lines
 * have the order of the calls.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum mode { OFF, LOG, FAIL, SHORT, KILL_BEFORE, KILL_AFTER, KILL_HALFWAY };
enum action { PASS, WATCHED, FAILS, HALF };

struct control {
    int32_t mode;     /* one of enum mode */
    int32_t error;    /* errno of FAIL */
    int32_t onward;   /* 1: FAIL for the n-th call and each later one */
    int32_t fired;    /* how often a fault was injected */
    int64_t target;   /* the n-th call, from 1 */
    int64_t count;    /* calls so far */
    char root[1024];  /* calls below this folder count, */
    char within[256]; /* once a path had this text in it */
    char log[1024];
    int32_t begun; /* whether a path had it */
};

static struct control* control;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char* paths[4096]; /* of the descriptors below the root */

#define REAL(name) ((__typeof__(&name))real(#name))
static void* real(const char* name) {
    void* found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

/* Maps the control block of this process; the tests call it through ctypes. Returns 0, or -1 if it
 * cannot. */
int fault_control(const char* file) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC, 0);
    void* block = fd < 0 ? MAP_FAILED
                         : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0) syscall(SYS_close, fd);
    if (block == MAP_FAILED) return -1;
    control = block;
    return 0;
}

static int is_below(const char* path) {
    size_t length = strlen(control->root);
    return path && !strncmp(path, control->root, length) && (!path[length] || path[length] == '/');
}

/* Writes the absolute path of an argument into `room`, and returns it if it lies below the root,
 * else NULL. */
static const char* resolved(int directory, const char* path, char room[PATH_MAX]) {
    if (!control || control->mode == OFF || !path) return NULL;
    if (path[0] == '/') {
        snprintf(room, PATH_MAX, "%s", path);
    } else if (directory == AT_FDCWD) {
        char here[PATH_MAX / 2];
        if (!getcwd(here, sizeof here)) return NULL;
        snprintf(room, PATH_MAX, "%s/%s", here, path);
    } else if (directory >= 0 && directory < 4096 && paths[directory]) {
        snprintf(room, PATH_MAX, "%s/%s", paths[directory], path);
    } else {
        return NULL;
    }
    return is_below(room) ? room : NULL;
}

static const char* path_of(int fd) {
    return control && control->mode != OFF && fd >= 0 && fd < 4096 && is_below(paths[fd])
               ? paths[fd]
               : NULL;
}

struct call {
    const char *kind, *path, *path2;
    int fd;             /* of the file, or -1 */
    int64_t offset;     /* of a write; the size of a truncation */
    const void* data;   /* of a write */
    size_t size;        /* of a write */
    enum action action; /* set by begin */
};

static void append(const char* text, size_t length, const void* data, size_t size) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, control->log,
                          O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    struct iovec parts[2] = {{(void*)text, length}, {(void*)data, size}};
    if (fd < 0 || syscall(SYS_writev, fd, parts, 2) != (long)(length + size)) abort();
    syscall(SYS_close, fd);
}

static void die(void) {
    for (;;) syscall(SYS_kill, getpid(), SIGKILL);
}

/* Counts a call, under the lock if it is watched; tells whether to make it, to fail it, or to write
 * half. */
static enum action begin(struct call* call) {
    call->action = PASS;
    if (!call->path) return PASS;
    pthread_mutex_lock(&mutex);
    if (!control->begun && !strstr(call->path, control->within)) {
        pthread_mutex_unlock(&mutex);
        return PASS;
    }
    control->begun = 1;
    call->action = WATCHED;
    int64_t number = ++control->count;
    if (control->mode == LOG || number < control->target ||
        (number > control->target && !control->onward))
        return WATCHED;
    control->fired++;
    char line[3 * PATH_MAX];
    int length = snprintf(line, sizeof line, "fired\t%s\t%s\n", call->kind, call->path);
    append(line, (size_t)length, NULL, 0);
    if (control->mode == KILL_BEFORE) die();
    if (control->mode == KILL_HALFWAY && !call->size) die();
    if (control->mode == FAIL) call->action = FAILS;
    if ((control->mode == SHORT || control->mode == KILL_HALFWAY) && call->size > 1)
        call->action = HALF;
    return call->action;
}

/* Logs a call that was made, or kills the process behind it, and gives the lock back. */
static long end(struct call* call, long result) {
    if (call->action == PASS) return result;
    int error = errno;
    if (call->action != FAILS && control->fired && control->count == control->target &&
        (control->mode == KILL_AFTER || control->mode == KILL_HALFWAY))
        die();
    if (control->mode == LOG) {
        struct stat status = {0};
        if (call->fd >= 0)
            fstat(call->fd, &status);
        else
            lstat(call->path2 ? call->path2 : call->path, &status);
        char line[3 * PATH_MAX];
        size_t root = strlen(control->root), size = call->data && result > 0 ? (size_t)result : 0;
        const char* kind = result < 0 ? "failed" : call->kind;
        int length = snprintf(line, sizeof line, "%s\t%s\t%s\t%lu\t%ld\t%zu\n", kind,
                              call->path + root, call->path2 ? call->path2 + root : "",
                              (unsigned long)status.st_ino, (long)call->offset, size);
        append(line, (size_t)length, call->data, size);
    }
    pthread_mutex_unlock(&mutex);
    errno = error;
    return result;
}

/* Makes a call, unless the fault says otherwise; `half` is what to do instead of it where it is
 * halved. */
#define AROUND(call, whole, half)                                                            \
    ({                                                                                       \
        enum action action = begin(&(call));                                                 \
        if (action == FAILS) errno = control->error;                                         \
        end(&(call), action == FAILS ? -1L : action == HALF ? (long)(half) : (long)(whole)); \
    })

static void remember(int fd, const char* path) {
    if (fd < 0 || fd >= 4096) return;
    free(paths[fd]);
    paths[fd] = path ? strdup(path) : NULL;
}

static int open_at(int directory, const char* path, int flags, mode_t mode) {
    char room[PATH_MAX];
    struct stat status;
    struct call call = {.kind = "open", .path = resolved(directory, path, room), .fd = -1};
    if (call.path && flags & O_CREAT && lstat(call.path, &status))
        call.kind = "create";
    else if (call.path && flags & O_TRUNC)
        call.kind = "empty";
    int fd = (int)AROUND(call, REAL(openat)(directory, path, flags, mode), -1);
    if (fd >= 0) remember(fd, call.path);
    return fd;
}

#define MODE(flags)                                                \
    mode_t mode = 0;                                               \
    if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) { \
        va_list rest;                                              \
        va_start(rest, flags);                                     \
        mode = va_arg(rest, mode_t);                               \
        va_end(rest);                                              \
    }
int open(const char* path, int flags, ...) {
    MODE(flags) return open_at(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
    MODE(flags) return open_at(AT_FDCWD, path, flags, mode);
}
int openat(int directory, const char* path, int flags, ...) {
    MODE(flags) return open_at(directory, path, flags, mode);
}
int openat64(int directory, const char* path, int flags, ...) {
    MODE(flags) return open_at(directory, path, flags, mode);
}
int creat(const char* path, mode_t mode) {
    return open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int close(int fd) {
    remember(fd, NULL);
    return REAL(close)(fd);
}

static int64_t place(int fd) {
    struct stat status;
    if (fcntl(fd, F_GETFL) & O_APPEND) return fstat(fd, &status) ? 0 : status.st_size;
    return lseek(fd, 0, SEEK_CUR);
}

ssize_t write(int fd, const void* data, size_t size) {
    const char* path = path_of(fd);
    struct call call = {.kind = "write", .path = path, .fd = fd, .data = data, .size = size};
    if (path) call.offset = place(fd);
    return AROUND(call, REAL(write)(fd, data, size), REAL(write)(fd, data, size / 2));
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
    struct call call = {.kind = "write",
                        .path = path_of(fd),
                        .fd = fd,
                        .offset = offset,
                        .data = data,
                        .size = size};
    return AROUND(call, REAL(pwrite)(fd, data, size, offset),
                  REAL(pwrite)(fd, data, size / 2, offset));
}
ssize_t pwrite64(int fd, const void* data, size_t size, off_t offset) {
    return pwrite(fd, data, size, offset);
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
    if (!path_of(fd) || count == 0) return REAL(writev)(fd, parts, count);
    return write(fd, parts[0].iov_base, parts[0].iov_len); /* it may write less than it was told */
}

#define OF_DESCRIPTOR(name)                                                  \
    int name(int fd) {                                                       \
        struct call call = {.kind = "fsync", .path = path_of(fd), .fd = fd}; \
        return (int)AROUND(call, REAL(name)(fd), 0);                         \
    }
OF_DESCRIPTOR(fsync)
OF_DESCRIPTOR(fdatasync)

int ftruncate(int fd, off_t size) {
    struct call call = {.kind = "truncate", .path = path_of(fd), .fd = fd, .offset = size};
    return (int)AROUND(call, REAL(ftruncate)(fd, size), 0);
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

#define OF_TWO(name, kind_, declared, directory, from, directory2, to, given)                  \
    int name declared {                                                                        \
        char room[PATH_MAX], room2[PATH_MAX];                                                  \
        struct call call = {.kind = kind_, .path = resolved(directory, from, room), .fd = -1}; \
        call.path2 = resolved(directory2, to, room2);                                          \
        if (!call.path2) call.path = NULL;                                                     \
        return (int)AROUND(call, REAL(name) given, 0);                                         \
    }
OF_TWO(rename, "rename", (const char* a, const char* b), AT_FDCWD, a, AT_FDCWD, b, (a, b))
OF_TWO(renameat, "rename", (int da, const char* a, int db, const char* b), da, a, db, b,
       (da, a, db, b))
OF_TWO(renameat2, "rename", (int da, const char* a, int db, const char* b, unsigned f), da, a, db,
       b, (da, a, db, b, f))
OF_TWO(link, "link", (const char* a, const char* b), AT_FDCWD, a, AT_FDCWD, b, (a, b))
OF_TWO(linkat, "link", (int da, const char* a, int db, const char* b, int f), da, a, db, b,
       (da, a, db, b, f))

#define OF_ONE(name, kind_, declared, directory, path_, given)                                  \
    int name declared {                                                                         \
        char room[PATH_MAX];                                                                    \
        struct call call = {.kind = kind_, .path = resolved(directory, path_, room), .fd = -1}; \
        return (int)AROUND(call, REAL(name) given, 0);                                          \
    }
OF_ONE(mkdir, "mkdir", (const char* a, mode_t m), AT_FDCWD, a, (a, m))
OF_ONE(mkdirat, "mkdir", (int d, const char* a, mode_t m), d, a, (d, a, m))
OF_ONE(unlink, "unlink", (const char* a), AT_FDCWD, a, (a))
OF_ONE(unlinkat, "unlink", (int d, const char* a, int f), d, a, (d, a, f))
OF_ONE(rmdir, "unlink", (const char* a), AT_FDCWD, a, (a))
