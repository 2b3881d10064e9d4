// A ring of whole episodes: slots in anonymous memory, filled in place by writers, copied out by
// samplers. The threading contract is that of slot_control.h.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <random>
#include <utility>
#include <vector>

#include "replay/episode_layout.h"
#include "replay/slot_control.h"

namespace pyqmix {

// Where decode() writes a batch of B episodes padded to T steps; everything contiguous. What lies
// behind an episode's end is zero.
struct BatchOut {
    std::int64_t steps = 0;           // T
    float* obs = nullptr;             // (B, T + 1, n, O)
    bool* avail = nullptr;            // (B, T + 1, n, A)
    float* state = nullptr;           // (B, T + 1, S); not written when the spec's state_dim is 0
    std::int64_t* actions = nullptr;  // (B, T, n)
    float* rewards = nullptr;         // (B, T)
    bool* terminated = nullptr;       // (B, T)
};

// One point in time as the environment reports it.
struct PointIn {
    const float* obs = nullptr;    // (n, O)
    const bool* avail = nullptr;   // (n, A)
    const float* state = nullptr;  // (S,); not read when the spec's state_dim is 0
};

class EpisodeRing {
   public:
    EpisodeRing(const EpisodeSpec& spec, std::int64_t capacity)
        : layout_(spec), control_(capacity), size_(checked_mul(layout_.bytes, capacity)) {
        // Populated now: running out of memory must show here, not in the middle of a run.
        void* memory = mmap(nullptr, static_cast<std::size_t>(size_), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        memory_ = static_cast<std::byte*>(memory);
    }
    ~EpisodeRing() { munmap(memory_, static_cast<std::size_t>(size_)); }
    EpisodeRing(const EpisodeRing&) = delete;
    EpisodeRing& operator=(const EpisodeRing&) = delete;

    const EpisodeLayout& layout() const { return layout_; }
    SlotControl& control() { return control_; }
    std::int64_t bytes() const { return size_; }

    std::int64_t length(std::int64_t slot) const {
        std::uint32_t length;
        std::memcpy(&length, at(slot, layout_.length), sizeof length);
        return length;
    }

    // Writing, by the slot's owner only. write_point stores o, s and the mask of time t (0 for the
    // reset); write_step stores a, r and terminated of step t, and makes the episode t + 1 steps
    // long. Both throw std::invalid_argument with what is wrong, and then leave the length as it
    // was.
    void start(std::int64_t slot) { set_length(slot, 0); }
    void write_point(std::int64_t slot, std::int64_t t, const PointIn& point);
    template <typename Action>  // std::int64_t or std::uint8_t
    void write_step(std::int64_t slot, std::int64_t t, const Action* actions, float reward,
                    bool terminated);

    // Where o (n, O), the masks (n, bytes of a mask) and s (S) of time t lie, for a writer that
    // stores them itself, in their storage types. t is at most the episode limit.
    std::byte* obs_at(std::int64_t slot, std::int64_t t) const {
        return at(slot, layout_.obs + t * layout_.spec.n_agents * layout_.spec.obs_dim *
                                          size_of(layout_.spec.obs_storage));
    }
    std::byte* avail_at(std::int64_t slot, std::int64_t t) const {
        return at(slot, layout_.avail + t * layout_.spec.n_agents * layout_.mask_bytes);
    }
    std::byte* state_at(std::int64_t slot, std::int64_t t) const {
        return at(slot,
                  layout_.state + t * layout_.spec.state_dim * size_of(layout_.spec.state_storage));
    }

    // Pins up to `batch` distinct slots, uniform over the published ones, and appends them to
    // `slots`. Fewer than asked means that no more could be had just now. The outcome depends on
    // `random` and on which slots are ready alone.
    void pin_uniform(int sampler, std::int64_t batch, std::mt19937_64& random,
                     std::vector<std::int64_t>& slots);
    void unpin(int sampler, const std::vector<std::int64_t>& slots) {
        for (const std::int64_t slot : slots) control_.unpin(slot, sampler);
    }

    // Copies one pinned episode to place b of a batch.
    void decode_episode(std::int64_t slot, std::int64_t b, const BatchOut& out) const;

   private:
    std::byte* at(std::int64_t slot, std::int64_t offset) const {
        return memory_ + slot * layout_.bytes + offset;
    }
    void set_length(std::int64_t slot, std::uint32_t length) {
        std::memcpy(at(slot, layout_.length), &length, sizeof length);
    }

    EpisodeLayout layout_;
    SlotControl control_;
    std::int64_t size_;
    std::byte* memory_ = nullptr;
};

// A uniform integer in [0, bound), the same on every platform (Lemire's method, arXiv:1805.10941).
inline std::uint64_t uniform_below(std::mt19937_64& random, std::uint64_t bound) {
    unsigned __int128 product = static_cast<unsigned __int128>(random()) * bound;
    if (static_cast<std::uint64_t>(product) < bound) {
        const std::uint64_t threshold = (0 - bound) % bound;
        while (static_cast<std::uint64_t>(product) < threshold)
            product = static_cast<unsigned __int128>(random()) * bound;
    }
    return static_cast<std::uint64_t>(product >> 64);
}

}  // namespace pyqmix
