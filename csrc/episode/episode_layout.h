// The place of each field of an episode in its slot, and its storage type.
//
// An episode of L steps has L + 1 observations, availability masks and states (the last ones are
// the o', s' of its last step) and L joint actions, rewards and terminated flags. Values are kept
// in the narrowest type that holds them exactly: a write that would lose anything is refused.
// Where the spec has snapshots, these stand in place of observations and states (snapshot.h).
#pragma once

#include <cstdint>
#include <limits>
#include <stdexcept>

#include "episode/episode_spec.h"
#include "episode/snapshot.h"

namespace pyqmix {

// Multiplies and adds sizes; throws std::overflow_error where int64 does not hold the result.
inline std::int64_t checked_mul(std::int64_t a, std::int64_t b) {
    std::int64_t out;
    if (__builtin_mul_overflow(a, b, &out)) throw std::overflow_error("episode sizes overflow");
    return out;
}
inline std::int64_t checked_add(std::int64_t a, std::int64_t b) {
    std::int64_t out;
    if (__builtin_add_overflow(a, b, &out)) throw std::overflow_error("episode sizes overflow");
    return out;
}

// Offsets in bytes from the start of a slot, each a multiple of 8; `bytes` is a slot's size, whole
// cache lines, so that two writers never share one.
struct EpisodeLayout {
    static constexpr std::int64_t kAlign = 8, kLine = 64;

    EpisodeSpec spec;
    std::int64_t mask_bytes = 0;  // of one agent's availability bits
    std::int64_t action_bytes = 0;
    SnapshotSizes snapshot_sizes;  // zero without snapshots
    bool last_action = false;      // with them: observations end with a code of the last action
    std::int64_t length = 0, obs = 0, avail = 0, state = 0, snapshot = 0, actions = 0, rewards = 0,
                 terminated = 0;
    std::int64_t bytes = 0;

    explicit EpisodeLayout(const EpisodeSpec& s) : spec(s) {
        if (s.n_agents < 1 || s.n_actions < 1 || s.obs_dim < 1 || s.state_dim < 0 ||
            s.episode_limit < 1)
            throw std::invalid_argument("episode sizes must be positive");
        if (s.n_actions > std::numeric_limits<std::uint16_t>::max() + std::int64_t{1})
            throw std::invalid_argument("n_actions: at most 65536");
        mask_bytes = (s.n_actions + 7) / 8;
        action_bytes = s.n_actions <= 256 ? 1 : 2;
        if (has_snapshots()) size_snapshots();
        const std::int64_t steps = s.episode_limit, points = checked_add(steps, 1);
        length = take(sizeof(std::uint32_t));
        obs = take(checked_mul(checked_mul(points, s.n_agents),
                               checked_mul(stored_obs_dim(), size_of(s.obs_storage))));
        avail = take(checked_mul(checked_mul(points, s.n_agents), mask_bytes));
        state =
            take(checked_mul(checked_mul(points, stored_state_dim()), size_of(s.state_storage)));
        snapshot = take(checked_mul(points, snapshot_sizes.bytes));
        actions = take(checked_mul(checked_mul(steps, s.n_agents), action_bytes));
        rewards = take(checked_mul(steps, sizeof(float)));
        terminated = take(steps);
        bytes = round_up(bytes, kLine);
        if (steps > std::numeric_limits<std::int32_t>::max())
            throw std::overflow_error("episode_limit: at most 2147483647 steps");
    }

    bool has_snapshots() const { return spec.snapshot != Snapshot::none; }
    // O and S where observations and states are stored themselves, otherwise 0.
    std::int64_t stored_obs_dim() const { return has_snapshots() ? 0 : spec.obs_dim; }
    std::int64_t stored_state_dim() const { return has_snapshots() ? 0 : spec.state_dim; }

   private:
    void size_snapshots() {
        snapshot_sizes = snapshot_codec(spec.snapshot).sizes(spec);
        const std::int64_t code = spec.obs_dim - snapshot_sizes.obs_dim;
        last_action = code > 0;
        if (code != 0 && code != spec.n_actions)
            throw std::invalid_argument("obs_dim: not one of the game that has these snapshots");
    }
    static std::int64_t round_up(std::int64_t size, std::int64_t unit) {
        return checked_mul(checked_add(size, unit - 1) / unit, unit);
    }
    std::int64_t take(std::int64_t size) {
        const std::int64_t offset = bytes;
        bytes = checked_add(bytes, round_up(size, kAlign));
        return offset;
    }
};

// A kind of snapshots where slots are smaller with them; otherwise none.
inline Snapshot snapshot_if_smaller(EpisodeSpec spec, Snapshot kind) {
    spec.snapshot = Snapshot::none;
    const std::int64_t without = EpisodeLayout(spec).bytes;
    spec.snapshot = kind;
    return EpisodeLayout(spec).bytes < without ? kind : Snapshot::none;
}

}  // namespace pyqmix
