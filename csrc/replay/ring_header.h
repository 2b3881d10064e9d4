// The head of a ring's memory and of its file, which gives the sizes of the rest. It may come from
// an untrusted source, so every value is checked before use.
#pragma once

#include <cstdint>
#include <type_traits>

#include "episode/episode_layout.h"

namespace pyqmix {

struct StoredSpec {
    std::int64_t n_agents, n_actions, obs_dim, state_dim, episode_limit, capacity;
    std::uint32_t obs_storage;
    std::uint16_t state_storage, snapshot;
};
static_assert(std::is_trivially_copyable_v<StoredSpec> && sizeof(StoredSpec) == 56);

inline StoredSpec stored(const EpisodeSpec& spec, std::int64_t capacity) {
    return {spec.n_agents,
            spec.n_actions,
            spec.obs_dim,
            spec.state_dim,
            spec.episode_limit,
            capacity,
            static_cast<std::uint32_t>(spec.obs_storage),
            static_cast<std::uint16_t>(spec.state_storage),
            static_cast<std::uint16_t>(spec.snapshot)};
}

// Throws std::invalid_argument or std::overflow_error for sizes that no ring has.
inline EpisodeSpec checked_spec(const StoredSpec& stored) {
    if (stored.obs_storage >= kStorages || stored.state_storage >= kStorages)
        throw std::invalid_argument("unknown storage dtype");
    if (stored.snapshot >= kSnapshots) throw std::invalid_argument("unknown kind of snapshots");
    if (stored.capacity < 1) throw std::invalid_argument("the capacity must be positive");
    return {stored.n_agents,
            stored.n_actions,
            stored.obs_dim,
            stored.state_dim,
            stored.episode_limit,
            static_cast<Storage>(stored.obs_storage),
            static_cast<Storage>(stored.state_storage),
            static_cast<Snapshot>(stored.snapshot)};
}

}  // namespace pyqmix
