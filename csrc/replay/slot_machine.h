// One slot's control word, and every change that it can undergo.
//
//     generation:32 | owner:13 | retire:1 | state:2 | pins:16        states: EMPTY, WRITING, READY
//
// Threading contract. Any number of threads and processes may call any function on the same word.
// publish, abort and unpin are wait-free; claim and pin make a bounded number of attempts. Between
// claim and publish or abort only the owner touches the slot's payload; between pin and unpin
// nobody writes it. So the payload is plain memory: publish, abort, unpin, revoke and clear_pin
// release the accesses to it, and claim and pin acquire them. Every change is a read-modify-write,
// which keeps those release sequences whole.
//
// Word is an atomic 64-bit integer and Orders its memory orders, so that a model checker runs this
// very code with its own atomics, and with each order weakened.
#pragma once

#include <atomic>
#include <cstdint>

namespace pyqmix {

enum class SlotState : std::uint64_t { empty = 0, writing = 1, ready = 2 };

// Each is the weakest that works: tests/cpp/relacy shows what breaks below it. Relaxed operations
// order no access to the payload.
struct SlotOrders {
    static constexpr std::memory_order claim = std::memory_order_acquire;
    static constexpr std::memory_order publish = std::memory_order_release;
    // Not relaxed: the next claimer writes where this owner wrote.
    static constexpr std::memory_order abort = std::memory_order_release;
    static constexpr std::memory_order pin = std::memory_order_acquire;
    static constexpr std::memory_order unpin = std::memory_order_release;
    // The reaper acquired the dead process's writes with its proof of death, and releases them.
    static constexpr std::memory_order revoke = std::memory_order_release;
    static constexpr std::memory_order clear_pin = std::memory_order_release;
    static constexpr std::memory_order retire = std::memory_order_relaxed;
    static constexpr std::memory_order look = std::memory_order_relaxed;
};

// The fields of the layout above.
struct SlotWord {
    static constexpr int kGenerationShift = 32, kOwnerShift = 19, kStateShift = 16;
    static constexpr int kMaxSamplers = 16;
    static constexpr int kMaxWriters = 1 << 13;
    static constexpr std::uint64_t kPins = 0xffff;
    static constexpr std::uint64_t kRetire = std::uint64_t{1} << 18;

    static SlotState state(std::uint64_t word) {
        return static_cast<SlotState>((word >> kStateShift) & 3);
    }
    static std::uint32_t generation(std::uint64_t word) {
        return static_cast<std::uint32_t>(word >> kGenerationShift);
    }
    static int owner(std::uint64_t word) {
        return static_cast<int>((word >> kOwnerShift) & (kMaxWriters - 1));
    }
    static std::uint64_t pin_bit(int sampler) { return std::uint64_t{1} << sampler; }
    static std::uint64_t make(std::uint64_t generation, int owner, SlotState state) {
        return (generation << kGenerationShift) |
               (static_cast<std::uint64_t>(owner) << kOwnerShift) |
               (static_cast<std::uint64_t>(state) << kStateShift);
    }
    static bool sampleable(std::uint64_t word) {
        return state(word) == SlotState::ready && !(word & kRetire);
    }
    static bool written_by(std::uint64_t word, int writer) {
        return state(word) == SlotState::writing && owner(word) == writer;
    }
};

enum class Claim { empty, overwrote, writing, pinned, contended };

template <typename Word, typename Orders = SlotOrders>
class SlotMachine : SlotWord {
   public:
    explicit SlotMachine(Word& word) : word_(word) {}

    // EMPTY, or READY without pins -> WRITING(owner, generation + 1). A pinned one is retired: its
    // samplers finish and take no new pins, so that it is free a lap later. `seen` is the word that
    // decided, as it was before.
    Claim claim(int owner, std::uint64_t& seen) {
        seen = word_.load(Orders::look);
        for (int attempt = 0; attempt < kAttempts; ++attempt) {
            if (state(seen) == SlotState::writing) return Claim::writing;
            if (seen & kPins) {
                if ((seen & kRetire) ||
                    word_.compare_exchange_weak(seen, seen | kRetire, Orders::retire, Orders::look))
                    return Claim::pinned;
                continue;
            }
            const std::uint64_t mine =
                make((seen >> kGenerationShift) + 1, owner, SlotState::writing);
            if (word_.compare_exchange_weak(seen, mine, Orders::claim, Orders::look))
                return state(seen) == SlotState::ready ? Claim::overwrote : Claim::empty;
        }
        return Claim::contended;
    }

    // WRITING(owner) -> READY. False if the slot is not this owner's (any more).
    bool publish(int owner) { return leave(owner, SlotState::ready, Orders::publish); }

    // WRITING(owner) -> EMPTY. False as for publish.
    bool abort(int owner) { return leave(owner, SlotState::empty, Orders::abort); }

    // WRITING(owner) -> EMPTY, for a caller that proved the owner dead and holds its id.
    bool revoke(int owner) { return leave(owner, SlotState::empty, Orders::revoke); }

    // Sets the sampler's bit if the slot is READY and not about to be overwritten.
    bool pin(int sampler) {
        std::uint64_t seen = word_.load(Orders::look);
        for (int attempt = 0; attempt < kAttempts; ++attempt) {
            if (!sampleable(seen)) return false;
            if (word_.compare_exchange_weak(seen, seen | pin_bit(sampler), Orders::pin,
                                            Orders::look))
                return true;
        }
        return false;
    }

    void unpin(int sampler) { word_.fetch_and(~pin_bit(sampler), Orders::unpin); }

    // Takes a pin away, for a caller that proved the sampler dead and holds its id.
    bool clear_pin(int sampler) {
        if (!(word_.load(Orders::look) & pin_bit(sampler))) return false;
        word_.fetch_and(~pin_bit(sampler), Orders::clear_pin);
        return true;
    }

   private:
    static constexpr int kAttempts = 64;

    bool leave(int owner, SlotState next, std::memory_order order) {
        std::uint64_t seen = word_.load(Orders::look);
        if (!written_by(seen, owner)) return false;
        return word_.compare_exchange_strong(seen, make(seen >> kGenerationShift, owner, next),
                                             order, Orders::look);
    }

    Word& word_;
};

}  // namespace pyqmix
