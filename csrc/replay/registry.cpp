#include "replay/registry.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace pyqmix {
namespace {

[[noreturn]] void refuse(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

struct flock lock_of(short type, int byte) {
    struct flock lock{};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = byte;
    lock.l_len = 1;
    return lock;
}

}  // namespace

// Every registry of this process, for the fork. Leaked: a fork may come after static destructors.
struct Registry::Forks {
    std::mutex mutex;
    std::vector<Registry*> all;

    static Forks& instance() {
        static Forks* const forks = [] {
            pthread_atfork(prepare, in_parent, in_child);
            return new Forks;
        }();
        return *forks;
    }
    static void prepare() {
        instance().mutex.lock();
        for (Registry* registry : instance().all) registry->mutex_.lock();
    }
    static void in_parent() {
        for (Registry* registry : instance().all) registry->mutex_.unlock();
        instance().mutex.unlock();
    }
    static void in_child() {
        for (Registry* registry : instance().all) registry->forget();
        in_parent();
    }
};

Registry::Registry(int fd) : fd_(fd) {
    Forks& forks = Forks::instance();
    std::lock_guard lock(forks.mutex);
    forks.all.push_back(this);
}

Registry::~Registry() {
    Forks& forks = Forks::instance();
    std::lock_guard lock(forks.mutex);
    forks.all.erase(std::find(forks.all.begin(), forks.all.end(), this));
    if (lock_fd_ >= 0) close(lock_fd_);
}

void Registry::forget() {
    if (lock_fd_ >= 0) close(lock_fd_);
    lock_fd_ = -1;
    for (auto& held : held_) held.store(false, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_relaxed);
}

int Registry::enter(Role role, std::uint64_t hint, const Sweep& sweep) {
    const int count = role == Role::writer ? SlotControl::kMaxWriters : SlotControl::kMaxSamplers;
    for (int tried = 0; tried < count; ++tried) {
        const auto id = static_cast<int>((hint + static_cast<std::uint64_t>(tried)) %
                                         static_cast<std::uint64_t>(count));
        if (!take(byte_of(role, id))) continue;
        sweep(role, id);  // the last holder may have died, or have stayed behind in a fork
        return id;
    }
    throw std::runtime_error(std::string(role == Role::writer ? "writers" : "samplers") +
                             ": at most " + std::to_string(count) +
                             " at a time, and all are in use");
}

void Registry::leave(Role role, int id, std::uint64_t generation) {
    if (generation == this->generation()) give_back(byte_of(role, id));
}

bool Registry::reap(Role role, int id, const Sweep& sweep) {
    const int byte = byte_of(role, id);
    if (held_[static_cast<std::size_t>(byte)].load(std::memory_order_relaxed) || !unlocked(byte) ||
        !take(byte))
        return false;
    sweep(role, id);
    give_back(byte);
    return true;
}

// Locks through one description do not exclude each other, so `held_` excludes this process's
// threads.
bool Registry::take(int byte) {
    std::lock_guard lock(mutex_);
    std::atomic<bool>& held = held_[static_cast<std::size_t>(byte)];
    if (held.load(std::memory_order_relaxed)) return false;
    if (fd_ >= 0) {
        if (lock_fd_ < 0) {
            // Opened again, because a duplicate would share its description with every other
            // process.
            const std::string path = "/proc/self/fd/" + std::to_string(fd_);
            lock_fd_ = open(path.c_str(), O_RDWR | O_CLOEXEC);
            if (lock_fd_ < 0) refuse("the ring's file cannot be opened anew through " + path);
        }
        struct flock wanted = lock_of(F_WRLCK, byte);
        if (fcntl(lock_fd_, F_OFD_SETLK, &wanted) != 0) {
            if (errno == EAGAIN || errno == EACCES) return false;
            refuse("the ring's file cannot be locked");
        }
    }
    held.store(true, std::memory_order_relaxed);
    return true;
}

void Registry::give_back(int byte) {
    std::lock_guard lock(mutex_);
    held_[static_cast<std::size_t>(byte)].store(false, std::memory_order_relaxed);
    if (lock_fd_ < 0) return;
    struct flock unlock = lock_of(F_UNLCK, byte);
    fcntl(lock_fd_, F_OFD_SETLK, &unlock);
}

bool Registry::unlocked(int byte) const {
    if (fd_ < 0) return true;  // whoever held it stayed behind in a fork
    struct flock asked = lock_of(F_WRLCK, byte);
    if (fcntl(fd_, F_OFD_GETLK, &asked) != 0) refuse("the ring's locks cannot be read");
    return asked.l_type == F_UNLCK;
}

}  // namespace pyqmix
