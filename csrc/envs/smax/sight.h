// The numbers by which units are seen.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "envs/smax/kernels.h"
#include "envs/smax/own_code.h"

namespace pyqmix {

// JAX computes a move as a diagonal of length 1 / sqrt(2) * (1, 1), rotated.
inline constexpr float kDiagonal = 0.70710677f;  // 1 / sqrt(2) in float32
inline constexpr float kPace = kDiagonal * kDiagonal + kDiagonal * kDiagonal;

// The direction of an action: up, right, down, left; none for others.
PYQMIX_OWN_CODE std::pair<float, float> movement_of(int action) {
    constexpr std::pair<float, float> kMovement[] = {
        {0.0f, kPace}, {kPace, 0.0f}, {0.0f, -kPace}, {-kPace, 0.0f}, {0.0f, 0.0f}};
    return kMovement[action < kStop ? action : kStop];
}

// The number of a unit's attack as a share of its largest action. XLA multiplies with a reciprocal
// where both teams have the same number of actions, and divides otherwise.
PYQMIX_OWN_CODE float attack_feature(const Units& units, int i) {
    const int action = units.action[static_cast<std::size_t>(i)];
    const auto attack = static_cast<float>(action >= kFirstAttack ? action : 0);
    const int targets = units.is_ally(i) ? units.enemies() : units.allies;
    const auto largest = static_cast<float>(kFirstAttack + targets - 1);
    return units.allies == units.enemies() ? attack * (1.0f / largest) : attack / largest;
}

PYQMIX_OWN_CODE float cooldown_feature(const Units& units, int i) {
    const float share = units.cooldown[static_cast<std::size_t>(i)] / units.of(i).cooldown;
    return std::min(std::max(share, 0.0f), 1.0f);
}

// What a living unit sees of itself, (kOwnFeatures).
PYQMIX_OWN_CODE void write_own(const Units& units, int i, float* out) {
    const auto k = static_cast<std::size_t>(i);
    std::fill_n(out, kOwnFeatures, 0.0f);
    out[0] = units.health[k] / units.of(i).health;
    out[1] = units.x[k] / kMapSize;
    out[2] = units.y[k] / kMapSize;
    out[3] = cooldown_feature(units, i);
    out[4 + units.type[k]] = 1.0f;
}

}  // namespace pyqmix
