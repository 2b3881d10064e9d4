// What agents and the mixer see of a battle, which follows from its units alone.
#pragma once

#include <cstdint>

#include "envs/smax/kernels.h"

namespace pyqmix {

// The widths O and S where there are N units.
inline constexpr std::int64_t obs_dim_of(std::int64_t units) {
    return kUnitFeatures * (units - 1) + kOwnFeatures;
}
inline constexpr int kStateFeatures = kOwnFeatures + 2;  // and team and type
inline constexpr std::int64_t state_dim_of(std::int64_t units) { return kStateFeatures * units; }

// Writes the allies' observations, with `stride` elements from one's to the next one's.
void write_observations(const Units& units, float* out, std::int64_t stride);
// Writes the state (S); positions and cooldowns are unscaled there.
void write_state(const Units& units, float* out);

}  // namespace pyqmix
