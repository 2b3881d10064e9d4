// The parts of a battle that go over all pairs of units, at one SIMD level. Their sources are
// compiled once for each level, with PYQMIX_SIMD_NAMESPACE naming it, and without contraction to
// fused multiply-adds: every level gives the same bits, JAX's.
#pragma once

#include <array>
#include <cstdint>

#include "envs/smax/threefry.h"
#include "envs/smax/units.h"

namespace pyqmix {

// One feature vector of another unit: health, position, movement, target, cooldown, type.
inline constexpr int kUnitFeatures = 7 + kUnitTypes;
// One of a unit itself: health, position, cooldown, type.
inline constexpr int kOwnFeatures = 4 + kUnitTypes;

// The heuristic team remembers for each of its units the target of its last attack (-1: none), as a
// number of its observation, and the place that it walks to while it sees nobody.
struct HeuristicTeam {
    struct Memory {
        int target = -1;
        float x = 0.0f, y = 0.0f;
    };
    std::array<Memory, Units::kMost> units{};
};

}  // namespace pyqmix

#define PYQMIX_DECLARE_SMAX_LEVEL(level)                                                       \
    namespace pyqmix::level {                                                                  \
    /* Resolves overlaps of living units once, as after a reset and in every tick. */          \
    void push_apart(Units&);                                                                   \
    /* Plays the ticks of one step with the actions that `units` holds; the key is that of the \
     * ticks. */                                                                               \
    void fight(Units&, threefry::Key);                                                         \
    /* Sets the actions of one team's living units as the heuristic chooses them. */           \
    void command(HeuristicTeam&, Units&, bool allies, threefry::Key);                          \
    /* Writes allies' observations, with `stride` elements from one's to the next one's. */    \
    void observe_units(const Units&, float* out, std::int64_t stride);                         \
    /* The units that ally or enemy i can strike. */                                           \
    UnitSet in_attack_range(const Units&, int i);                                              \
    }

PYQMIX_DECLARE_SMAX_LEVEL(baseline)
PYQMIX_DECLARE_SMAX_LEVEL(avx2)
PYQMIX_DECLARE_SMAX_LEVEL(avx512)
