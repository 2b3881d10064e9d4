// Snapshots of a world at a point in time, which a slot stores in place of the point's observations
// (n, O) and state (S) where they take fewer bytes. These follow from the snapshot and are rebuilt,
// bit for bit, when an episode is read.
//
// A slot's reader knows no game, so each game that has snapshots registers how its own are read.
// The code of the agents' last actions, with which observations may end, is no part of a snapshot:
// the reader takes it from the episode's actions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "episode/episode_spec.h"

namespace pyqmix {

struct SnapshotSizes {
    std::int64_t bytes = 0;    // of one point's snapshot
    std::int64_t obs_dim = 0;  // of the game's own observations, without the code of last actions
};

// How a game's snapshots are read. Sizes and bytes may come from a damaged file.
struct SnapshotCodec {
    const char* name;
    // Throws std::invalid_argument where no world of the game has a spec's sizes.
    SnapshotSizes (*sizes)(const EpisodeSpec& spec);
    // Throws std::invalid_argument unless `count` snapshots are ones of a world, so that rebuild()
    // reads no memory but its own and writes finite numbers.
    void (*check)(const EpisodeSpec& spec, const std::byte* from, std::int64_t count);
    // Writes the game's own observations of `count` points, with spec.obs_dim elements from one
    // agent's to the next one's: obs (count, n, O); and states (count, S) where S is not 0.
    void (*rebuild)(const EpisodeSpec& spec, const std::byte* from, std::int64_t count, float* obs,
                    float* state);
};

namespace detail {

inline std::array<const SnapshotCodec*, kSnapshots>& snapshot_codecs() {
    static constinit std::array<const SnapshotCodec*, kSnapshots> codecs{};
    return codecs;
}

}  // namespace detail

// A game's header has one of these as an inline variable, so that snapshots can be read wherever
// the game is known.
struct RegisteredSnapshot {
    RegisteredSnapshot(Snapshot kind, const SnapshotCodec& codec) {
        detail::snapshot_codecs()[static_cast<std::size_t>(kind)] = &codec;
    }
};

// Null where a kind is none, is unknown, or its game is not part of this program.
inline const SnapshotCodec* find_snapshot(Snapshot kind) {
    const auto place = static_cast<std::size_t>(kind);
    return place < kSnapshots ? detail::snapshot_codecs()[place] : nullptr;
}
// Throws std::invalid_argument there.
inline const SnapshotCodec& snapshot_codec(Snapshot kind) {
    const SnapshotCodec* const found = find_snapshot(kind);
    if (!found) throw std::invalid_argument("unknown kind of snapshots");
    return *found;
}

}  // namespace pyqmix
