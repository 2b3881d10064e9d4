// What a network is shown of a world beside the original's observations: positions relative to the
// agent that observes, and factors that bring every number into [-1, 1].
#pragma once

#include <cstdint>
#include <vector>

#include "env/lbf_world.h"

namespace pyqmix {

// How an agent sees where food and other players are: as the original's rows and columns, as
// distances from itself (0, 0 for what is unseen), or as both, the distances behind the rest.
enum class Positions : std::uint8_t { absolute, relative, both };

// Numbers that an agent sees, O. Only absolute positions go with grid_observation.
int observation_width(const LbfRules& rules, int absolute_width, Positions positions);

// Writes observations (n, O).
template <typename T>
void observe(const LbfWorld& world, Positions positions, T* out);

// What each number of an observation (O), or of the state (S), is multiplied by to lie in [-1, 1]:
// one over the largest coordinate, or level, that the rules allow.
std::vector<float> observation_scale(const LbfRules& rules, Positions positions);
std::vector<float> state_scale(const LbfRules& rules);

}  // namespace pyqmix
