/*
 * A disk that forgets: preloaded into a process, it keeps every write to the files under one folder in memory and lets it
 * reach the real file only when the process syncs that file. Killing the process is then what a power cut is to a real
 * machine: whatever was not synced is gone.
 *
 * What it models
 *   - Contents and sizes are durable from fsync or fdatasync of any descriptor of the file on, or at once when it was
 *     opened with O_SYNC or O_DSYNC. All descriptors of one file in the process see the newest contents.
 *   - Sectors of 512 bytes reach the disk in any order: a sync that is cut leaves some of them behind, and the kernel may
 *     write some that nobody synced.
 *   - Names are durable at once (create, rename, unlink): a file that was never synced is there, but empty. Losing a name
 *     because its folder was not synced is not modelled.
 *   - Files whose name ends with "-shm" are left alone: SQLite maps them into memory and rebuilds them from the log.
 *     Whoever cuts the power deletes them. Other files cannot be mapped (ENODEV); SQLite then reads them.
 *   - One process at a time. Another process sees only what was synced.
 *
 * Settings, from the environment
 *   POWERCUT_DIR         the folder; without it nothing is changed
 *   POWERCUT_LEAK        percent of writes that reach the disk early, unsynced
 *   POWERCUT_CUT         at the sync of this number, half of the sectors reach the disk and the process kills itself
 *   POWERCUT_LIE         1: a sync says that it is done and does nothing
 *   POWERCUT_SYNC_FAILS  the sync of this number fails with EIO, and what it should have written is forgotten although
 *                        reads still show it, as Linux does; later syncs say that all is well
 *   POWERCUT_FULL        after files have grown by so many bytes, growing fails with ENOSPC
 *   POWERCUT_TRIGGER     the last four do nothing until a file of this name exists
 *   POWERCUT_SEED        seed of the chances above
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
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR 512
#define DESCRIPTORS 65536
#define BUCKETS 1024

/* One file as the process sees it. Never freed while it has a name: what was written and closed must be seen again. */
struct image {
    dev_t device;
    ino_t inode;
    int disk;             /* own descriptor of the real file; also keeps its inode from being given to another file */
    int opened;           /* descriptors of the process */
    size_t size;
    size_t capacity;      /* a multiple of SECTOR */
    size_t disk_size;     /* size of the real file */
    unsigned char *bytes; /* zero from size to capacity */
    unsigned char *dirty; /* one byte per sector: differs from the disk */
    struct image *next;
};

struct descriptor {
    struct image *image;
    int flags;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct image *images[BUCKETS];
static struct descriptor descriptors[DESCRIPTORS];

static char root[PATH_MAX];
static size_t root_length;
static const char *trigger;
static int lie;
static long leak, cut_at, fail_at, room = -1;
static long syncs;
static uint64_t chance_state = 1;

/* The next definition of a function: the C library's. */
#define NEXT(result, name, ...)                                       \
    static result (*next)(__VA_ARGS__);                               \
    if (!next) next = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

/* ---- settings ---- */

static long setting(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text && *text ? atol(text) : otherwise;
}

__attribute__((constructor)) static void configure(void) {
    const char *folder = getenv("POWERCUT_DIR");
    if (!folder || !*folder) return;
    if (!realpath(folder, root)) {
        fprintf(stderr, "powercut: POWERCUT_DIR %s: %s\n", folder, strerror(errno));
        _exit(97);
    }
    trigger = getenv("POWERCUT_TRIGGER");
    lie = (int)setting("POWERCUT_LIE", 0);
    leak = setting("POWERCUT_LEAK", 0);
    cut_at = setting("POWERCUT_CUT", 0);
    fail_at = setting("POWERCUT_SYNC_FAILS", 0);
    room = setting("POWERCUT_FULL", -1);
    chance_state = (uint64_t)setting("POWERCUT_SEED", 1) * 2 + 1;
    root_length = strlen(root);
}

static int triggered(void) { return !trigger || access(trigger, F_OK) == 0; }

static int chance(long percent) {
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (long)(chance_state % 100) < percent;
}

/* ---- the C library's own, for the images ---- */

static ssize_t disk_read(int fd, void *to, size_t count, off_t at) {
    NEXT(ssize_t, pread64, int, void *, size_t, off_t);
    return next(fd, to, count, at);
}

static void disk_write(struct image *image, size_t from, size_t count) {
    NEXT(ssize_t, pwrite64, int, const void *, size_t, off_t);
    while (count > 0) {
        ssize_t written = next(image->disk, image->bytes + from, count, (off_t)from);
        if (written <= 0) {
            fprintf(stderr, "powercut: the real disk fails: %s\n", strerror(errno));
            _exit(97);
        }
        from += (size_t)written;
        count -= (size_t)written;
        if (from > image->disk_size) image->disk_size = from;
    }
}

static void disk_truncate(struct image *image, size_t size) {
    NEXT(int, ftruncate64, int, off_t);
    if (next(image->disk, (off_t)size) != 0) {
        fprintf(stderr, "powercut: the real disk fails: %s\n", strerror(errno));
        _exit(97);
    }
    image->disk_size = size;
}

static int real_fstat(int fd, struct stat *into) {
    NEXT(int, fstat, int, struct stat *);
    return next(fd, into);
}

static off_t real_seek(int fd, off_t offset, int whence) {
    NEXT(off_t, lseek64, int, off_t, int);
    return next(fd, offset, whence);
}

static int real_open(const char *path, int flags, mode_t mode) {
    NEXT(int, open64, const char *, int, ...);
    return next(path, flags, mode);
}

static int real_close(int fd) {
    NEXT(int, close, int);
    return next(fd);
}

/* ---- images; the lock is held ---- */

static struct image *find(dev_t device, ino_t inode) {
    struct image *image = images[inode % BUCKETS];
    while (image && (image->device != device || image->inode != inode)) image = image->next;
    return image;
}

static void reserve(struct image *image, size_t size) {
    if (size <= image->capacity) return;
    size_t capacity = image->capacity ? image->capacity : 64 * SECTOR;
    while (capacity < size) capacity *= 2;
    image->bytes = realloc(image->bytes, capacity);
    image->dirty = realloc(image->dirty, capacity / SECTOR);
    if (!image->bytes || !image->dirty) abort();
    memset(image->bytes + image->capacity, 0, capacity - image->capacity);
    memset(image->dirty + image->capacity / SECTOR, 0, (capacity - image->capacity) / SECTOR);
    image->capacity = capacity;
}

static void mark(struct image *image, size_t from, size_t to) {
    if (from < to) memset(image->dirty + from / SECTOR, 1, (to - 1) / SECTOR - from / SECTOR + 1);
}

static struct image *load(int fd, const struct stat *status) {
    struct image *image = calloc(1, sizeof *image);
    if (!image) abort();
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    image->disk = real_open(link, O_RDWR | O_CLOEXEC, 0);
    if (image->disk < 0) image->disk = real_open(link, O_RDONLY | O_CLOEXEC, 0);
    image->device = status->st_dev;
    image->inode = status->st_ino;
    image->size = image->disk_size = (size_t)status->st_size;
    reserve(image, image->size);
    for (size_t at = 0; at < image->size;) {
        ssize_t count = disk_read(image->disk, image->bytes + at, image->size - at, (off_t)at);
        if (count <= 0) break;
        at += (size_t)count;
    }
    image->next = images[image->inode % BUCKETS];
    images[image->inode % BUCKETS] = image;
    return image;
}

static void forget(struct image *image) {
    struct image **place = &images[image->inode % BUCKETS];
    while (*place != image) place = &(*place)->next;
    *place = image->next;
    real_close(image->disk);
    free(image->bytes);
    free(image->dirty);
    free(image);
}

static int resize(struct image *image, off_t wanted) {
    if (wanted < 0) return EINVAL;
    size_t size = (size_t)wanted, before = image->size;
    if (size > before && room >= 0 && triggered()) {
        if ((long)(size - before) > room) return ENOSPC;
        room -= (long)(size - before);
    }
    reserve(image, size);
    if (size < before) {
        memset(image->bytes + size, 0, before - size);
        mark(image, size, before);
    } else {
        mark(image, before, size);
    }
    image->size = size;
    return 0;
}

/* Writes what differs from the disk; `percent` of it, if this is the moment of the cut. */
static void persist(struct image *image, int percent) {
    size_t sectors = (image->size + SECTOR - 1) / SECTOR;
    for (size_t sector = 0; sector < sectors; sector++) {
        if (!image->dirty[sector] || (percent < 100 && !chance(percent))) continue;
        size_t end = sector + 1;
        while (percent == 100 && end < sectors && image->dirty[end]) end++;
        size_t from = sector * SECTOR, to = end * SECTOR;
        disk_write(image, from, (to < image->size ? to : image->size) - from);
        sector = end - 1;
    }
    if (image->disk_size != image->size && percent == 100) disk_truncate(image, image->size);
}

static int sync_image(struct image *image) {
    int armed = triggered();
    if (armed) syncs++;
    if (lie && armed) return 0;
    if (cut_at && armed && syncs == cut_at) {
        persist(image, 50);
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    int fails = fail_at && armed && syncs == fail_at;
    if (!fails) persist(image, 100);
    memset(image->dirty, 0, image->capacity / SECTOR);
    if (!fails) return 0;
    errno = EIO;
    return -1;
}

static ssize_t read_image(struct image *image, void *to, size_t count, off_t at) {
    if (at < 0) return errno = EINVAL, -1;
    if ((size_t)at >= image->size) return 0;
    if (count > image->size - (size_t)at) count = image->size - (size_t)at;
    memcpy(to, image->bytes + at, count);
    return (ssize_t)count;
}

static ssize_t write_image(struct descriptor *descriptor, const void *from, size_t count, off_t at) {
    struct image *image = descriptor->image;
    if (at < 0) return errno = EINVAL, -1;
    if (count == 0) return 0;
    size_t end = (size_t)at + count;
    if (end > image->size && room >= 0 && triggered()) {
        size_t most = image->size + (size_t)room;
        if (most <= (size_t)at) return errno = ENOSPC, -1;
        if (end > most) end = most;
        count = end - (size_t)at;
        if (end > image->size) room -= (long)(end - image->size);
    }
    size_t before = image->size;
    reserve(image, end);
    memcpy(image->bytes + at, from, count);
    if (end > image->size) image->size = end;
    mark(image, (size_t)at < before ? (size_t)at : before, end);
    if (leak && chance(leak)) disk_write(image, (size_t)at, count);
    if ((descriptor->flags & (O_SYNC | O_DSYNC)) && sync_image(image) != 0) return -1;
    return (ssize_t)count;
}

/* ---- descriptors ---- */

static struct descriptor *of(int fd) {
    return root_length && fd >= 0 && fd < DESCRIPTORS && descriptors[fd].image ? &descriptors[fd] : NULL;
}

static int ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* Whether the file behind this new descriptor is one of ours; if so, its image is there afterwards. */
static int adopt(int fd, int flags) {
    char link[64], path[PATH_MAX];
    struct stat status;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (fd >= DESCRIPTORS || length < 0) return 0;
    path[length] = 0;
    if (strncmp(path, root, root_length) != 0 || path[root_length] != '/' || ends_with(path, "-shm")) return 0;
    if (real_fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return 0;
    pthread_mutex_lock(&lock);
    struct image *image = find(status.st_dev, status.st_ino);
    if (!image) image = load(fd, &status);
    image->opened++;
    descriptors[fd] = (struct descriptor){image, flags};
    if ((flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY) resize(image, 0);
    pthread_mutex_unlock(&lock);
    return 1;
}

static int open_at(int folder, const char *path, int flags, mode_t mode) {
    NEXT(int, openat64, int, const char *, int, ...);
    if (!root_length || (flags & O_DIRECTORY)) return next(folder, path, flags, mode);
    /* Truncating on opening would reach the disk at once. */
    int truncates = (flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY;
    int fd = next(folder, path, truncates ? flags & ~O_TRUNC : flags, mode);
    if (fd >= 0 && !adopt(fd, flags) && truncates) {
        NEXT(int, ftruncate64, int, off_t);
        int before = errno;
        next(fd, 0);
        errno = before;
    }
    return fd;
}

static mode_t mode_of(int flags, va_list *list) {
    return flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(*list, int) : 0;
}

#define OPEN(name)                                        \
    int name(const char *path, int flags, ...) {          \
        va_list list;                                     \
        va_start(list, flags);                            \
        mode_t mode = mode_of(flags, &list);              \
        va_end(list);                                     \
        return open_at(AT_FDCWD, path, flags, mode);      \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                       \
    int name(int folder, const char *path, int flags, ...) { \
        va_list list;                                      \
        va_start(list, flags);                             \
        mode_t mode = mode_of(flags, &list);               \
        va_end(list);                                      \
        return open_at(folder, path, flags, mode);         \
    }
OPENAT(openat)
OPENAT(openat64)

int creat(const char *path, mode_t mode) { return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

static void let_go(int fd) {
    struct descriptor *descriptor = of(fd);
    if (!descriptor) return;
    pthread_mutex_lock(&lock);
    struct image *image = descriptor->image;
    descriptor->image = NULL;
    struct stat status;
    if (--image->opened == 0 && real_fstat(image->disk, &status) == 0 && status.st_nlink == 0) forget(image);
    pthread_mutex_unlock(&lock);
}

int close(int fd) {
    let_go(fd);
    return real_close(fd);
}

static int shared(int from, int to) {
    struct descriptor *descriptor = of(from);
    if (to >= 0 && to < DESCRIPTORS && descriptor) {
        pthread_mutex_lock(&lock);
        descriptors[to] = *descriptor;
        descriptor->image->opened++;
        pthread_mutex_unlock(&lock);
    }
    return to;
}

int dup(int fd) {
    NEXT(int, dup, int);
    return shared(fd, next(fd));
}

int dup2(int from, int to) {
    NEXT(int, dup2, int, int);
    if (from != to) let_go(to);
    int made = next(from, to);
    return from == to ? made : shared(from, made);
}

int dup3(int from, int to, int flags) {
    NEXT(int, dup3, int, int, int);
    let_go(to);
    return shared(from, next(from, to, flags));
}

#define FCNTL(name)                                                               \
    int name(int fd, int command, ...) {                                          \
        NEXT(int, name, int, int, ...);                                           \
        va_list list;                                                             \
        va_start(list, command);                                                  \
        void *argument = va_arg(list, void *);                                    \
        va_end(list);                                                             \
        int result = next(fd, command, argument);                                 \
        int copies = command == F_DUPFD || command == F_DUPFD_CLOEXEC;            \
        return copies ? shared(fd, result) : result;                              \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

/* ---- reading and writing ---- */

#define LOCKED(expression)              \
    pthread_mutex_lock(&lock);          \
    ssize_t result = (expression);      \
    pthread_mutex_unlock(&lock);        \
    return result

static ssize_t read_here(int fd, struct image *image, void *to, size_t count) {
    off_t at = real_seek(fd, 0, SEEK_CUR);
    ssize_t read = read_image(image, to, count, at);
    if (read > 0) real_seek(fd, at + read, SEEK_SET);
    return read;
}

static ssize_t write_here(int fd, struct descriptor *descriptor, const void *from, size_t count) {
    int appends = descriptor->flags & O_APPEND;
    off_t at = appends ? (off_t)descriptor->image->size : real_seek(fd, 0, SEEK_CUR);
    ssize_t written = write_image(descriptor, from, count, at);
    if (written > 0) real_seek(fd, at + written, SEEK_SET);
    return written;
}

ssize_t read(int fd, void *to, size_t count) {
    NEXT(ssize_t, read, int, void *, size_t);
    struct descriptor *descriptor = of(fd);
    if (!descriptor) return next(fd, to, count);
    LOCKED(read_here(fd, descriptor->image, to, count));
}

ssize_t write(int fd, const void *from, size_t count) {
    NEXT(ssize_t, write, int, const void *, size_t);
    struct descriptor *descriptor = of(fd);
    if (!descriptor) return next(fd, from, count);
    LOCKED(write_here(fd, descriptor, from, count));
}

#define PREAD(name)                                               \
    ssize_t name(int fd, void *to, size_t count, off_t at) {      \
        NEXT(ssize_t, name, int, void *, size_t, off_t);          \
        struct descriptor *descriptor = of(fd);                   \
        if (!descriptor) return next(fd, to, count, at);          \
        LOCKED(read_image(descriptor->image, to, count, at));     \
    }
PREAD(pread)
PREAD(pread64)

#define PWRITE(name)                                                    \
    ssize_t name(int fd, const void *from, size_t count, off_t at) {    \
        NEXT(ssize_t, name, int, const void *, size_t, off_t);          \
        struct descriptor *descriptor = of(fd);                         \
        if (!descriptor) return next(fd, from, count, at);              \
        LOCKED(write_image(descriptor, from, count, at));               \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

/* Several buffers, one after the other, until one is not done whole. `at` < 0 stands for the descriptor's own place. */
static ssize_t each(int fd, const struct iovec *parts, int count, off_t at, int writes) {
    struct descriptor *descriptor = of(fd);
    ssize_t total = 0;
    for (int part = 0; part < count; part++) {
        void *base = parts[part].iov_base;
        size_t length = parts[part].iov_len;
        ssize_t done = writes ? (at < 0 ? write_here(fd, descriptor, base, length) : write_image(descriptor, base, length, at + total))
                              : (at < 0 ? read_here(fd, descriptor->image, base, length) : read_image(descriptor->image, base, length, at + total));
        if (done < 0) return total > 0 ? total : -1;
        total += done;
        if ((size_t)done < length) break;
    }
    return total;
}

#define VECTOR(name, writes)                                              \
    ssize_t name(int fd, const struct iovec *parts, int count) {          \
        NEXT(ssize_t, name, int, const struct iovec *, int);              \
        if (!of(fd)) return next(fd, parts, count);                       \
        LOCKED(each(fd, parts, count, -1, writes));                       \
    }
VECTOR(readv, 0)
VECTOR(writev, 1)

#define VECTOR_AT(name, writes)                                           \
    ssize_t name(int fd, const struct iovec *parts, int count, off_t at) {\
        NEXT(ssize_t, name, int, const struct iovec *, int, off_t);       \
        if (!of(fd)) return next(fd, parts, count, at);                   \
        LOCKED(each(fd, parts, count, at, writes));                       \
    }
VECTOR_AT(preadv, 0)
VECTOR_AT(preadv64, 0)
VECTOR_AT(pwritev, 1)
VECTOR_AT(pwritev64, 1)

/* Ways around the images: whoever tries them falls back to reading and writing. */
#define REFUSED(name, error, parameters, arguments, types, one, other)    \
    ssize_t name parameters {                                             \
        NEXT(ssize_t, name, types);                                       \
        if (of(one) || of(other)) return errno = error, -1;               \
        return next arguments;                                            \
    }
#define COMMA ,
REFUSED(preadv2, ENOSYS, (int fd, const struct iovec *parts, int count, off_t at, int flags), (fd, parts, count, at, flags),
        int COMMA const struct iovec * COMMA int COMMA off_t COMMA int, fd, fd)
REFUSED(pwritev2, ENOSYS, (int fd, const struct iovec *parts, int count, off_t at, int flags), (fd, parts, count, at, flags),
        int COMMA const struct iovec * COMMA int COMMA off_t COMMA int, fd, fd)
REFUSED(copy_file_range, ENOSYS, (int from, off_t *at, int to, off_t *there, size_t count, unsigned flags),
        (from, at, to, there, count, flags), int COMMA off_t * COMMA int COMMA off_t * COMMA size_t COMMA unsigned, from, to)
REFUSED(splice, EINVAL, (int from, off_t *at, int to, off_t *there, size_t count, unsigned flags),
        (from, at, to, there, count, flags), int COMMA off_t * COMMA int COMMA off_t * COMMA size_t COMMA unsigned, from, to)
REFUSED(sendfile, EINVAL, (int to, int from, off_t *at, size_t count), (to, from, at, count),
        int COMMA int COMMA off_t * COMMA size_t, from, to)
REFUSED(sendfile64, EINVAL, (int to, int from, off_t *at, size_t count), (to, from, at, count),
        int COMMA int COMMA off_t * COMMA size_t, from, to)

#define MAP(name)                                                                        \
    void *name(void *at, size_t length, int protection, int flags, int fd, off_t offset) { \
        NEXT(void *, name, void *, size_t, int, int, int, off_t);                        \
        if (!(flags & MAP_ANONYMOUS) && of(fd)) return errno = ENODEV, MAP_FAILED;       \
        return next(at, length, protection, flags, fd, offset);                          \
    }
MAP(mmap)
MAP(mmap64)

/* ---- places and sizes ---- */

#define SEEK(name)                                                                            \
    off_t name(int fd, off_t offset, int whence) {                                            \
        NEXT(off_t, name, int, off_t, int);                                                   \
        struct descriptor *descriptor = of(fd);                                               \
        if (!descriptor || whence == SEEK_SET || whence == SEEK_CUR) return next(fd, offset, whence); \
        if (whence != SEEK_END) return errno = EINVAL, -1;                                    \
        LOCKED(real_seek(fd, (off_t)descriptor->image->size + offset, SEEK_SET));             \
    }
SEEK(lseek)
SEEK(lseek64)

static int resize_locked(struct image *image, off_t size) {
    pthread_mutex_lock(&lock);
    int error = resize(image, size);
    pthread_mutex_unlock(&lock);
    return error;
}

static struct image *of_path(const char *path) {
    NEXT(int, stat, const char *, struct stat *);
    struct stat status;
    if (!root_length || next(path, &status) != 0) return NULL;
    pthread_mutex_lock(&lock);
    struct image *image = find(status.st_dev, status.st_ino);
    pthread_mutex_unlock(&lock);
    return image;
}

#define FTRUNCATE(name)                                        \
    int name(int fd, off_t size) {                             \
        NEXT(int, name, int, off_t);                           \
        struct descriptor *descriptor = of(fd);                \
        if (!descriptor) return next(fd, size);                \
        int error = resize_locked(descriptor->image, size);    \
        return error ? (errno = error, -1) : 0;                \
    }
FTRUNCATE(ftruncate)
FTRUNCATE(ftruncate64)

#define TRUNCATE(name)                                         \
    int name(const char *path, off_t size) {                   \
        NEXT(int, name, const char *, off_t);                  \
        struct image *image = of_path(path);                   \
        if (!image) return next(path, size);                   \
        int error = resize_locked(image, size);                \
        return error ? (errno = error, -1) : 0;                \
    }
TRUNCATE(truncate)
TRUNCATE(truncate64)

static int extend(struct image *image, off_t end) {
    pthread_mutex_lock(&lock);
    int error = (size_t)end > image->size ? resize(image, end) : 0;
    pthread_mutex_unlock(&lock);
    return error;
}

#define FALLOCATE(name)                                                  \
    int name(int fd, int mode, off_t at, off_t length) {                 \
        NEXT(int, name, int, int, off_t, off_t);                         \
        struct descriptor *descriptor = of(fd);                          \
        if (!descriptor) return next(fd, mode, at, length);              \
        if (mode == FALLOC_FL_KEEP_SIZE) return 0;                       \
        if (mode != 0) return errno = EOPNOTSUPP, -1;                    \
        int error = extend(descriptor->image, at + length);              \
        return error ? (errno = error, -1) : 0;                          \
    }
FALLOCATE(fallocate)
FALLOCATE(fallocate64)

#define POSIX_FALLOCATE(name)                                                 \
    int name(int fd, off_t at, off_t length) {                                \
        NEXT(int, name, int, off_t, off_t);                                   \
        struct descriptor *descriptor = of(fd);                               \
        return descriptor ? extend(descriptor->image, at + length) : next(fd, at, length); \
    }
POSIX_FALLOCATE(posix_fallocate)
POSIX_FALLOCATE(posix_fallocate64)

/* ---- syncing ---- */

#define SYNC(name)                                   \
    int name(int fd) {                               \
        NEXT(int, name, int);                        \
        struct descriptor *descriptor = of(fd);      \
        if (!descriptor) return next(fd);            \
        LOCKED(sync_image(descriptor->image));       \
    }
SYNC(fsync)
SYNC(fdatasync)

/* Starts writing but promises nothing. */
int sync_file_range(int fd, off_t at, off_t count, unsigned flags) {
    NEXT(int, sync_file_range, int, off_t, off_t, unsigned);
    return of(fd) ? 0 : next(fd, at, count, flags);
}

/* ---- sizes by name and descriptor ---- */

static int corrected(int result, struct stat *status) {
    if (result != 0 || !root_length || !S_ISREG(status->st_mode)) return result;
    pthread_mutex_lock(&lock);
    struct image *image = find(status->st_dev, status->st_ino);
    if (image) {
        status->st_size = (off_t)image->size;
        status->st_blocks = (blkcnt_t)((image->size + 511) / 512);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

_Static_assert(sizeof(struct stat) == sizeof(struct stat64), "a 64-bit machine");

#define STAT(name, kind)                                               \
    int name(const char *path, struct kind *into) {                    \
        NEXT(int, name, const char *, struct kind *);                  \
        return corrected(next(path, into), (struct stat *)into);       \
    }
STAT(stat, stat)
STAT(stat64, stat64)
STAT(lstat, stat)
STAT(lstat64, stat64)

#define FSTAT(name, kind)                                              \
    int name(int fd, struct kind *into) {                              \
        NEXT(int, name, int, struct kind *);                           \
        return corrected(next(fd, into), (struct stat *)into);         \
    }
FSTAT(fstat, stat)
FSTAT(fstat64, stat64)

#define FSTATAT(name, kind)                                                    \
    int name(int folder, const char *path, struct kind *into, int flags) {     \
        NEXT(int, name, int, const char *, struct kind *, int);                \
        return corrected(next(folder, path, into, flags), (struct stat *)into);\
    }
FSTATAT(fstatat, stat)
FSTATAT(fstatat64, stat64)

int statx(int folder, const char *path, int flags, unsigned mask, struct statx *into) {
    NEXT(int, statx, int, const char *, int, unsigned, struct statx *);
    int result = next(folder, path, flags, mask | STATX_INO | STATX_TYPE, into);
    if (result != 0 || !root_length || !S_ISREG(into->stx_mode)) return result;
    dev_t device = makedev(into->stx_dev_major, into->stx_dev_minor);
    pthread_mutex_lock(&lock);
    struct image *image = find(device, into->stx_ino);
    if (image) {
        into->stx_size = image->size;
        into->stx_blocks = (image->size + 511) / 512;
    }
    pthread_mutex_unlock(&lock);
    return result;
}
