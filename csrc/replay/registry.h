// The ids of a ring's writers and samplers, and the proof that the process which held an id is
// dead.
//
// Every id has a byte of the ring's file, and the holder of the id also holds an open file
// description (OFD) lock on that byte. The kernel drops the lock whenever the process dies, so
// death is proved, not guessed from time. An id is given out, and a dead one's slots and pins are
// given back, only by the holder of its byte; and the id is swept before it is used again.
//
// Threading contract. Any thread may call any function. A forked child holds none of its parent's
// ids: it closes the inherited description in the fork itself, which would keep a dead parent's
// locks alive, and `generation()` grows there, so that inherited holders can be told apart.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <mutex>

#include "replay/slot_control.h"

namespace pyqmix {

class Registry {
   public:
    using Sweep = std::function<void(Role, int)>;

    // `fd` is the ring's file, or -1 for a ring of one process, where no holder can die alone; a
    // forked child has a copy of that ring, without holders. The caller keeps owning the file. No
    // lock is taken through it, so that it also sees the locks of this process.
    explicit Registry(int fd);
    ~Registry();
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    // Takes a free id, the first from `hint` on, and sweeps it. Throws std::runtime_error when all
    // are in use, std::system_error when the kernel refuses.
    int enter(Role role, std::uint64_t hint, const Sweep& sweep);
    // Gives back an id that holds neither slots nor pins any more; does nothing if a fork took the
    // id away.
    void leave(Role role, int id, std::uint64_t generation);

    // True if the id's holder was dead, and has been swept.
    bool reap(Role role, int id, const Sweep& sweep);

    std::uint64_t generation() const { return generation_.load(std::memory_order_relaxed); }

   private:
    struct Forks;

    static constexpr int kIds = SlotControl::kMaxWriters + SlotControl::kMaxSamplers;
    static int byte_of(Role role, int id) {
        return role == Role::writer ? id : SlotControl::kMaxWriters + id;
    }
    bool take(int byte);
    void give_back(int byte);
    bool unlocked(int byte) const;
    void forget();

    int fd_, lock_fd_ = -1;
    std::mutex mutex_;
    std::array<std::atomic<bool>, kIds> held_{};  // by this process
    std::atomic<std::uint64_t> generation_{0};
};

}  // namespace pyqmix
