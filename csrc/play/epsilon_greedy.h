// One agent's choice among actions whose availability is given by a mask with at least one bit set.
// The same as pyqmix/play/rollout.py's epsilon_greedy.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "envs/native_env.h"

namespace pyqmix {

inline constexpr int kTabulatedActions = 8;

struct AvailableActions {
    std::uint8_t count = 0;
    std::array<std::uint8_t, kTabulatedActions> actions{};  // in rising order
};

// The actions of every mask of a few actions. A table avoids a loop whose length the branch
// predictor cannot learn.
inline constexpr auto kAvailableActions = [] {
    std::array<AvailableActions, 1u << kTabulatedActions> table{};
    for (unsigned mask = 0; mask < table.size(); ++mask)
        for (std::uint8_t action = 0; action < kTabulatedActions; ++action)
            if (mask >> action & 1u) table[mask].actions[table[mask].count++] = action;
    return table;
}();

// The available action that a uniform `pick` in [0, 1) points at.
inline std::uint8_t random_action(ActionMask available, double pick) {
    if (available < kAvailableActions.size()) [[likely]] {
        const AvailableActions& among = kAvailableActions[available];
        return among.actions[static_cast<unsigned>(pick * among.count)];
    }
    auto skipped = static_cast<unsigned>(pick * std::popcount(available));
    for (; skipped > 0; --skipped) available &= available - 1;
    return static_cast<std::uint8_t>(std::countr_zero(available));
}

// The available action of the highest of qs (A), the first of equals; a NaN counts as highest.
inline std::uint8_t greedy_action(ActionMask available, const float* qs, unsigned n_actions) {
    auto best = static_cast<unsigned>(std::countr_zero(available));
    for (unsigned action = best + 1; action < n_actions; ++action) {
        const bool higher =
            qs[action] > qs[best] || (qs[action] != qs[action] && qs[best] == qs[best]);
        const bool better = (available >> action & 1u) && higher;
        best = better ? action : best;
    }
    return static_cast<std::uint8_t>(best);
}

}  // namespace pyqmix
