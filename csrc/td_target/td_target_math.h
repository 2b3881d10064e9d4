// One sample's target. In an unnamed namespace for the reason given in mixer_math.h.
#pragma once

#include "mixer/mixer_math.h"
#include "td_target/td_target.h"

namespace pyqmix {
namespace {

constexpr std::int64_t kNoAction = -1;

// The first available action of the largest value, as torch.argmax has it: a NaN counts as largest.
template <typename T>
PYQMIX_HD std::int64_t greedy_action(const T* qs, const std::uint8_t* avail,
                                     std::int64_t n_actions) {
    std::int64_t best = kNoAction;
    for (std::int64_t a = 0; a < n_actions; ++a) {
        if (!avail[a]) continue;
        if (best == kNoAction || qs[a] > qs[best] || (qs[a] != qs[a] && qs[best] == qs[best]))
            best = a;
    }
    return best;
}

// Writes y of one row. Returns the first agent without an available action, or kAllAvailable.
template <typename T>
PYQMIX_HD std::int64_t td_target_row(const TdTarget<T>& args, std::int64_t row) {
    const T reward = args.rewards[row][0];
    if (args.terminated[row][0]) {
        args.y[row] = reward;
        return kAllAvailable;
    }
    const std::int64_t n = args.mixer.n_agents, n_actions = args.n_actions;
    const T* target = args.next_qs[row];
    const T* choosing = args.online_next_qs.data ? args.online_next_qs[row] : target;
    T* chosen = args.chosen_qs + row * n;
    for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t first = i * n_actions;
        const std::int64_t action =
            greedy_action(choosing + first, args.avail[row] + first, n_actions);
        if (action == kNoAction) return i;
        chosen[i] = target[first + action];
    }
    args.y[row] = reward + args.gamma * mix_row(args.mixer, row, chosen);
    return kAllAvailable;
}

}  // namespace
}  // namespace pyqmix
