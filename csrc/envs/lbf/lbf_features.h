// What a network is shown of a world beside the original's observations: positions relative to the
// agent that observes, what it did last, and factors that bring every number into [-1, 1].
#pragma once

#include <cstdint>
#include <vector>

#include "envs/lbf/lbf_world.h"

namespace pyqmix {

// How an agent sees where food and other players are: as the original's rows and columns, as
// distances from itself (0, 0 for what is unseen), or as both, the distances behind the rest.
enum class Positions : std::uint8_t { absolute, relative, both };

// Only absolute positions go with grid_observation.
struct Features {
    Positions positions = Positions::absolute;
    bool last_action = false;  // behind all else: six numbers, 1 for the action taken last, else 0
};

// Stands for the last action where an episode has just started.
inline constexpr std::uint8_t kNoLastAction = LbfWorld::kActions;

// Numbers that an agent sees, O.
int observation_width(const LbfWorld& world, const Features& features);

// Writes observations (n, O). last_actions (n) is read only where it is shown.
template <typename T>
void observe(const LbfWorld& world, const Features& features, const std::uint8_t* last_actions,
             T* out);

// What each number of an observation (O), or of the state (S), is multiplied by to lie in [-1, 1]:
// one over the largest coordinate, or level, that the rules allow.
std::vector<float> observation_scale(const LbfRules& rules, const Features& features);
std::vector<float> state_scale(const LbfRules& rules);

}  // namespace pyqmix
