// The sizes of an environment's episodes, and how a slot stores them.
#pragma once

#include <cstdint>

#include "episode/episode_codec.h"

namespace pyqmix {

// The games of whose worlds a slot can store snapshots (snapshot.h). The numbers stand in ring
// files.
enum class Snapshot : std::uint8_t { none, smax };

inline constexpr std::int64_t kSnapshots = 2;

// Sizes are counts of elements.
struct EpisodeSpec {
    std::int64_t n_agents = 0;
    std::int64_t n_actions = 0;
    std::int64_t obs_dim = 0;
    std::int64_t state_dim = 0;  // 0: the state is the concatenated observations, and is not stored
    std::int64_t episode_limit = 0;
    Storage obs_storage = Storage::float32;
    Storage state_storage = Storage::float32;
    Snapshot snapshot = Snapshot::none;  // stored in place of observations and states

    bool operator==(const EpisodeSpec&) const = default;
};

}  // namespace pyqmix
