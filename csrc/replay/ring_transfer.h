// Copies of published episodes, from one ring into another of the same kind of episodes.
#pragma once

#include <cstdint>

#include "replay/episode_ring.h"

namespace pyqmix {

// Copies the episodes of `count` tickets of `from`, the first of which is `first`, in the order of
// the tickets, and publishes each. `sampler` is an id of `from` that holds no batch, `writer` one
// of `to`. Returns how many were copied: fewer than asked if no slot of `to` was free. Throws
// std::invalid_argument if the rings' episodes differ, std::runtime_error if a ticket's slot holds
// no published episode.
std::int64_t transfer_episodes(EpisodeRing& from, int sampler, std::uint64_t first,
                               std::int64_t count, EpisodeRing& to, int writer);

}  // namespace pyqmix
