// A ring of whole episodes: slots that writers fill in place and samplers copy out, for threads, or
// for processes too. The threading contract is that of slot_control.h and registry.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "episode/episode_layout.h"
#include "replay/registry.h"
#include "replay/ring_header.h"
#include "replay/ring_memory.h"
#include "replay/slot_control.h"
#include "replay/uniform_draw.h"

namespace pyqmix {

// Where decode_episode() writes a batch of B episodes padded to T steps; everything contiguous.
// Everything behind an episode's end is zero.
struct BatchOut {
    std::int64_t steps = 0;           // T
    float* obs = nullptr;             // (B, T + 1, n, O)
    bool* avail = nullptr;            // (B, T + 1, n, A)
    float* state = nullptr;           // (B, T + 1, S); not written when the spec's state_dim is 0
    std::int64_t* actions = nullptr;  // (B, T, n)
    float* rewards = nullptr;         // (B, T)
    bool* terminated = nullptr;       // (B, T)
};

// One point in time as the environment reports it; or, for a whole episode, all L + 1 of them.
struct PointIn {
    const float* obs = nullptr;    // (n, O)
    const bool* avail = nullptr;   // (n, A)
    const float* state = nullptr;  // (S,); not read when the spec's state_dim is 0
    // (bytes of a snapshot); where the spec has snapshots, it alone is stored, not obs and state.
    const std::byte* snapshot = nullptr;
};

// A whole episode of L steps.
struct EpisodeIn {
    std::int64_t steps = 0;                 // L
    PointIn points;                         // L + 1 of each
    const std::int64_t* actions = nullptr;  // (L, n)
    const float* rewards = nullptr;         // (L,)
    const bool* terminated = nullptr;       // (L,)
};

class EpisodeRing {
   public:
    // Throws std::bad_alloc where memory is too little, std::overflow_error where sizes overflow.
    EpisodeRing(const EpisodeSpec& spec, std::int64_t capacity, bool shared = false);
    // The ring that a descriptor shares. Throws std::invalid_argument if it is not a ring's.
    static EpisodeRing* attach(int fd) { return new EpisodeRing(RingMemory::attach(fd)); }
    EpisodeRing(const EpisodeRing&) = delete;
    EpisodeRing& operator=(const EpisodeRing&) = delete;

    const EpisodeLayout& layout() const { return layout_; }
    SlotControl& control() { return control_; }
    const SlotControl& control() const { return control_; }
    std::int64_t bytes() const { return memory_.size(); }
    int fd() const { return memory_.fd(); }
    static std::int64_t bytes_for(const EpisodeLayout& layout, std::int64_t capacity);

    // Ids of writers and samplers; see registry.h.
    int enter(Role role);
    void leave(Role role, int id, std::uint64_t generation) {
        registry_.leave(role, id, generation);
    }
    std::uint64_t generation() const { return registry_.generation(); }

    // A slot for this writer, beginning with a reserved ticket or with a new one; kBusy if no slot
    // is free. Releases slots and pins of dead processes that are in the way.
    std::int64_t claim(int writer) { return claim_ticket(control_.reserve(1), writer); }
    std::int64_t claim_ticket(std::uint64_t ticket, int writer);

    std::int64_t length(std::int64_t slot) const {
        std::uint32_t length;
        std::memcpy(&length, at(slot, layout_.length), sizeof length);
        return length;
    }

    // Writing, by the slot's owner only. write_point stores o, s and the mask of time t (0 for the
    // reset), or the snapshot in place of o and s; write_step stores a, r and terminated of step t,
    // and makes the episode t + 1 steps long; write_episode stores it all. They throw
    // std::invalid_argument for invalid values, and then leave the length unchanged.
    void start(std::int64_t slot) { set_length(slot, 0); }
    void write_point(std::int64_t slot, std::int64_t t, const PointIn& point) {
        write_points(slot, t, 1, point);
    }
    template <typename Action>  // std::int64_t or std::uint8_t
    void write_step(std::int64_t slot, std::int64_t t, const Action* actions, float reward,
                    bool terminated);
    void write_episode(std::int64_t slot, const EpisodeIn& episode);
    // For an episode stored without these: checks its actions, and that its numbers are finite, and
    // sets its length.
    void finish(std::int64_t slot, std::int64_t steps);

    // Where fields lie: o (n, O), the masks (n, bytes of a mask) and s (S) of time t, for a writer
    // that stores them itself, in their storage types; or, in place of o and s, the snapshot. t is
    // at most the episode limit.
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
    std::byte* snapshot_at(std::int64_t slot, std::int64_t t) const {
        return at(slot, layout_.snapshot + t * layout_.snapshot_sizes.bytes);
    }
    std::byte* at(std::int64_t slot, std::int64_t offset) const {
        return slots_ + slot * layout_.bytes + offset;
    }

    // Pins up to `batch` distinct slots, uniform over the published ones, and appends them to
    // `slots`. Fewer than asked for means that no other slot can be pinned now.
    void pin_uniform(int sampler, std::int64_t batch, UniformDraw& draw,
                     std::vector<std::int64_t>& slots) {
        draw.draw(
            control_.touched(), batch,
            [&](std::int64_t slot) { return control_.pin(slot, sampler); }, slots);
    }
    void unpin(int sampler, const std::vector<std::int64_t>& slots) {
        for (const std::int64_t slot : slots) control_.unpin(slot, sampler);
    }

    // Copies a pinned episode of L steps as `as.bytes` bytes, with zeros where it holds nothing.
    // `as` has the ring's sizes and a limit of L steps or more; the ring's own layout does.
    void copy_image(std::int64_t slot, const EpisodeLayout& as, std::byte* to) const;
    // The inverse, by the slot's owner. Throws std::invalid_argument if the bytes are no episode;
    // restore_image does so for bytes of the ring's own layout that lie in the slot already.
    void load_image(std::int64_t slot, const EpisodeLayout& as, const std::byte* from);
    void restore_image(std::int64_t slot) { finish(slot, length(slot)); }

    // Copies one pinned episode to place b of a batch.
    void decode_episode(std::int64_t slot, std::int64_t b, const BatchOut& out) const;

   private:
    struct Header;

    explicit EpisodeRing(RingMemory memory);
    static EpisodeLayout layout_in(const RingMemory& memory);
    Header& header() const;

    void set_length(std::int64_t slot, std::int64_t length);
    void write_points(std::int64_t slot, std::int64_t t, std::int64_t count, const PointIn& points);
    void require_actions(std::int64_t slot, std::int64_t steps) const;
    void require_finite(std::int64_t slot, std::int64_t steps) const;
    void write_snapshots(std::int64_t slot, std::int64_t t, std::int64_t count,
                         const std::byte* from);
    void decode_points(std::int64_t slot, std::int64_t points, float* obs, float* state) const;
    void sweep(Role role, int id) { control_.sweep(role, id); }

    RingMemory memory_;
    EpisodeLayout layout_;
    SlotControl control_;
    std::byte* slots_;
    Registry registry_;
};

}  // namespace pyqmix
