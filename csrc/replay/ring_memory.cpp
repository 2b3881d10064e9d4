#include "replay/ring_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace pyqmix {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

[[noreturn]] void refuse(const char* what) {
    if (errno == ENOMEM || errno == ENOSPC) throw std::bad_alloc();
    throw std::system_error(errno, std::generic_category(), what);
}

int allocate(int fd, std::int64_t bytes) {
    while (fallocate(fd, 0, 0, bytes) != 0)
        if (errno != EINTR) return -1;
    return 0;
}

}  // namespace

RingMemory RingMemory::make(std::int64_t bytes, bool shared) {
    RingMemory memory(shared ? memfd_create("pyqmix-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING) : -1,
                      bytes);
    if (shared) {
        if (memory.fd_ < 0) refuse("memfd_create");
        if (fchmod(memory.fd_, 0600) != 0) refuse("fchmod");
        if (allocate(memory.fd_, bytes) != 0) refuse("fallocate");
        if (fcntl(memory.fd_, F_ADD_SEALS, kSeals) != 0) refuse("sealing the ring's file");
    }
    memory.map();
    return memory;
}

RingMemory RingMemory::attach(int fd) {
    const int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & kSeals) != kSeals)
        throw std::invalid_argument("fd: expected the descriptor of a shared ring, got " +
                                    std::to_string(fd) + ", which is no sealed memory file");
    RingMemory memory(fcntl(fd, F_DUPFD_CLOEXEC, 0), 0);
    if (memory.fd_ < 0) refuse("duplicating the ring's descriptor");
    struct stat file{};
    if (fstat(memory.fd_, &file) != 0) refuse("fstat");
    memory.size_ = file.st_size;
    if (memory.size_ == 0)
        throw std::invalid_argument("fd: expected the descriptor of a shared ring, got " +
                                    std::to_string(fd) + ", which is empty");
    memory.map();
    return memory;
}

// Populated now, so that a lack of memory shows here, not in the middle of a run.
void RingMemory::map() {
    const int kind = fd_ < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void* memory = mmap(nullptr, static_cast<std::size_t>(size_), PROT_READ | PROT_WRITE,
                        kind | MAP_POPULATE, fd_, 0);
    if (memory == MAP_FAILED) refuse("mmap");
    data_ = static_cast<std::byte*>(memory);
}

RingMemory::RingMemory(RingMemory&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      data_(std::exchange(other.data_, nullptr)) {}

RingMemory::~RingMemory() {
    if (data_) munmap(data_, static_cast<std::size_t>(size_));
    if (fd_ >= 0) close(fd_);
}

}  // namespace pyqmix
