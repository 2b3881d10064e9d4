// Snapshots of a battle at a point in time: of each unit place, cooldown, health, type and last
// action, in 15 bytes. Observations and state follow from them (view.h).
#pragma once

#include <cstddef>

#include "envs/smax/units.h"
#include "episode/snapshot.h"

namespace pyqmix {

// Throws std::invalid_argument where a unit's health, which is whole in every battle that was not
// forced, is no whole number from 0 to 255.
void write_snapshot(const Units& units, std::byte* out);

extern const SnapshotCodec kSmaxSnapshots;
inline const RegisteredSnapshot kRegisteredSmaxSnapshots(Snapshot::smax, kSmaxSnapshots);

}  // namespace pyqmix
