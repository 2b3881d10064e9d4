// The slot machine of the ring: one 64-bit control word for each slot, alone on its cache line.
//
//     generation:32 | owner:13 | retire:1 | state:2 | pins:16        states: EMPTY, WRITING, READY
//
// Threading contract. Any number of threads may call any function. An owner id belongs to one
// writer, which may have several slots WRITING at a time; a sampler's pin bit belongs to one
// sampler, which holds at most one batch at a time. publish, abort and unpin are wait-free. claim
// and pin make bounded attempts and may answer "no". Between claim and publish or abort only the
// owner touches the slot's payload; between pin and unpin nobody writes it. So the payload is plain
// memory: publish releases it to the acquire of pin, and abort and unpin release what was done to
// it to the acquire of the next claim. Every change of a word is a read-modify-write, which keeps
// those release sequences whole.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace pyqmix {

enum class SlotState : std::uint64_t { empty = 0, writing = 1, ready = 2 };

class SlotControl {
   public:
    static constexpr int kMaxSamplers = 16;
    static constexpr int kMaxWriters = 1 << 13;
    static constexpr std::int64_t kBusy = -1;

    explicit SlotControl(std::int64_t capacity)
        : capacity_(capacity), words_(new Line[static_cast<std::size_t>(capacity)]) {}

    std::int64_t capacity() const { return capacity_; }

    // Slots that have ever been claimed lie in [0, touched()).
    std::int64_t touched() const {
        const std::uint64_t head = head_.load(std::memory_order_relaxed);
        return head < static_cast<std::uint64_t>(capacity_) ? static_cast<std::int64_t>(head)
                                                            : capacity_;
    }

    // A slot to write, the oldest that can be had, or kBusy when none of the next `capacity`
    // tickets gave one.
    std::int64_t claim(std::uint64_t owner) {
        for (std::int64_t attempt = 0; attempt < capacity_; ++attempt) {
            const std::uint64_t ticket = head_.fetch_add(1, std::memory_order_relaxed);
            const auto slot =
                static_cast<std::int64_t>(ticket % static_cast<std::uint64_t>(capacity_));
            if (claim_slot(slot, owner)) return slot;
        }
        busy_.fetch_add(1, std::memory_order_relaxed);
        return kBusy;
    }

    // WRITING(owner) -> READY. False if the slot is not this owner's to publish.
    bool publish(std::int64_t slot, std::uint64_t owner) {
        if (!leave_writing(slot, owner, SlotState::ready, std::memory_order_release)) return false;
        published_.fetch_add(1, std::memory_order_relaxed);
        return true;
    }

    // WRITING(owner) -> EMPTY. False if the slot is not this owner's to abort. Releases, because
    // the next claimer writes where this owner wrote.
    bool abort(std::int64_t slot, std::uint64_t owner) {
        if (!leave_writing(slot, owner, SlotState::empty, std::memory_order_release)) return false;
        aborted_.fetch_add(1, std::memory_order_relaxed);
        return true;
    }

    // Sets this sampler's pin bit if the slot is READY and not about to be overwritten.
    bool pin(std::int64_t slot, int sampler) {
        std::atomic<std::uint64_t>& word = words_[slot].word;
        std::uint64_t seen = word.load(std::memory_order_relaxed);
        for (int attempt = 0; attempt < kAttempts; ++attempt) {
            if (state(seen) != SlotState::ready || (seen & kRetire)) return false;
            if (word.compare_exchange_weak(seen, seen | pin_bit(sampler), std::memory_order_acquire,
                                           std::memory_order_relaxed))
                return true;
        }
        return false;
    }

    void unpin(std::int64_t slot, int sampler) {
        words_[slot].word.fetch_and(~pin_bit(sampler), std::memory_order_release);
    }

    // Counters since construction. Momentary while others write.
    std::int64_t published() const { return published_.load(std::memory_order_relaxed); }
    std::int64_t overwritten() const { return overwritten_.load(std::memory_order_relaxed); }
    std::int64_t aborted() const { return aborted_.load(std::memory_order_relaxed); }
    std::int64_t busy() const { return busy_.load(std::memory_order_relaxed); }

   private:
    static constexpr int kAttempts = 64;
    static constexpr int kGenerationShift = 32, kOwnerShift = 19, kStateShift = 16;
    static constexpr std::uint64_t kPins = 0xffff;
    static constexpr std::uint64_t kRetire = std::uint64_t{1} << 18;
    static constexpr std::uint64_t kOwnerMask = std::uint64_t{kMaxWriters - 1} << kOwnerShift;

    struct alignas(64) Line {
        std::atomic<std::uint64_t> word{0};
    };

    static SlotState state(std::uint64_t word) {
        return static_cast<SlotState>((word >> kStateShift) & 3);
    }
    static std::uint64_t pin_bit(int sampler) { return std::uint64_t{1} << sampler; }
    static std::uint64_t make(std::uint64_t generation, std::uint64_t owner, SlotState state) {
        return (generation << kGenerationShift) | (owner << kOwnerShift) |
               (static_cast<std::uint64_t>(state) << kStateShift);
    }

    bool claim_slot(std::int64_t slot, std::uint64_t owner) {
        std::atomic<std::uint64_t>& word = words_[slot].word;
        std::uint64_t seen = word.load(std::memory_order_relaxed);
        for (int attempt = 0; attempt < kAttempts; ++attempt) {
            if (state(seen) == SlotState::writing) return false;
            if (seen & kPins) {
                // Samplers finish what they hold and take no new pins: the slot is free a lap
                // later.
                if (word.compare_exchange_weak(seen, seen | kRetire, std::memory_order_relaxed))
                    return false;
                continue;
            }
            const std::uint64_t generation = (seen >> kGenerationShift) + 1;
            if (word.compare_exchange_weak(seen, make(generation, owner, SlotState::writing),
                                           std::memory_order_acquire, std::memory_order_relaxed)) {
                if (state(seen) == SlotState::ready)
                    overwritten_.fetch_add(1, std::memory_order_relaxed);
                return true;
            }
        }
        return false;
    }

    bool leave_writing(std::int64_t slot, std::uint64_t owner, SlotState next,
                       std::memory_order order) {
        std::atomic<std::uint64_t>& word = words_[slot].word;
        std::uint64_t seen = word.load(std::memory_order_relaxed);
        if (state(seen) != SlotState::writing || (seen & kOwnerMask) != (owner << kOwnerShift))
            return false;
        return word.compare_exchange_strong(seen, make(seen >> kGenerationShift, owner, next),
                                            order, std::memory_order_relaxed);
    }

    std::int64_t capacity_;
    std::unique_ptr<Line[]> words_;
    alignas(64) std::atomic<std::uint64_t> head_{0};
    alignas(64) std::atomic<std::int64_t> published_{0};
    std::atomic<std::int64_t> overwritten_{0}, aborted_{0}, busy_{0};
};

}  // namespace pyqmix
