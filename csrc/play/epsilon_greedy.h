// One agent's choice among six actions whose availability is given by bits, at least one of them
// set. The same as pyqmix/play/rollout.py's epsilon_greedy. Tables in place of loops: which action
// comes next is a coin's toss, and no processor foresees it.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace pyqmix {

inline constexpr unsigned kMasks = 64;  // of six actions

struct AvailableActions {
    std::uint8_t count = 0;
    std::array<std::uint8_t, 6> actions{};  // in rising order
};

inline constexpr std::array<AvailableActions, kMasks> kAvailable = [] {
    std::array<AvailableActions, kMasks> table{};
    for (unsigned mask = 0; mask < kMasks; ++mask)
        for (std::uint8_t action = 0; action < 6; ++action)
            if (mask >> action & 1u) table[mask].actions[table[mask].count++] = action;
    return table;
}();

// The available action that a uniform `pick` in [0, 1) points at.
inline std::uint8_t random_action(std::uint8_t available, double pick) {
    const AvailableActions& among = kAvailable[available];
    return among.actions[static_cast<unsigned>(pick * among.count)];
}

// The available action of the highest value, the first of equals; a NaN counts as highest.
inline std::uint8_t greedy_action(std::uint8_t available, const float* qs) {
    auto best = static_cast<unsigned>(std::countr_zero(unsigned{available}));
    for (unsigned action = best + 1; action < 6; ++action) {
        const bool higher =
            qs[action] > qs[best] || (qs[action] != qs[action] && qs[best] == qs[best]);
        const bool better = (available >> action & 1u) && higher;
        best = better ? action : best;
    }
    return static_cast<std::uint8_t>(best);
}

}  // namespace pyqmix
