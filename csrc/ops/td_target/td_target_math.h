// One sample's target. In an unnamed namespace for the reason given in ops/mix/mix_math.h.
#pragma once

#include <cstring>
#include <limits>
#include <type_traits>

#include "ops/mix/mix_math.h"
#include "ops/td_target/td_target.h"

namespace pyqmix {
namespace {

constexpr std::int64_t kNoAction = -1;

// Whether a value is larger in the order of torch.argmax, where NaN is the largest.
template <typename T>
PYQMIX_HD bool beats(T q, T best) {
    return q > best || (q != q && best == best);
}

// The first available action of the largest value, as torch.argmax has it; an available -inf still
// wins over the unavailable.
template <typename T>
PYQMIX_HD std::int64_t greedy_action(const T* qs, const std::uint8_t* avail,
                                     std::int64_t n_actions) {
    std::int64_t best = kNoAction;
    for (std::int64_t a = 0; a < n_actions; ++a) {
        if (!avail[a]) continue;
        if (best == kNoAction || beats(qs[a], qs[best])) best = a;
    }
    return best;
}

#if !defined(__CUDACC__)
// The same without branches, which would be mispredicted. Falls back to the above if there is a
// NaN, or no value above -inf.
template <typename T>
std::int64_t greedy_action_of_few(const T* qs, const std::uint8_t* avail, std::int64_t n_actions) {
    const T lowest = -std::numeric_limits<T>::infinity();
    T most = lowest;
    std::int64_t where = kNoAction;
    bool odd = false;
    for (std::int64_t a = 0; a < n_actions; ++a) {
        const T x = avail[a] ? qs[a] : lowest;
        where = x > most ? a : where;
        most = x > most ? x : most;
        odd |= x != x;
    }
    return odd || where == kNoAction ? greedy_action(qs, avail, n_actions) : where;
}

// The same for eight actions and more, eight at a time without branches: the largest value, then
// the first action that has it. Falls back to greedy_action if there is a NaN, or no value above
// -inf.
template <typename T>
std::int64_t greedy_action_in_lanes(const T* qs, const std::uint8_t* avail,
                                    std::int64_t n_actions) {
    constexpr std::int64_t kLanes = 8;
    if (n_actions < kLanes) return greedy_action_of_few(qs, avail, n_actions);
    using Whole = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
    typedef T Values __attribute__((vector_size(kLanes * sizeof(T))));
    typedef Whole Gates __attribute__((vector_size(kLanes * sizeof(T))));
    typedef std::uint8_t Bytes __attribute__((vector_size(kLanes)));
    const Values lowest = Values{} - std::numeric_limits<T>::infinity();
    Values most = lowest;
    Gates odd = {}, where = {};
    const Gates lane = {0, 1, 2, 3, 4, 5, 6, 7};
    for (std::int64_t a = 0; a < n_actions; a += kLanes) {
        const std::int64_t at = a + kLanes <= n_actions ? a : n_actions - kLanes;  // may overlap
        Values q;
        Bytes bytes;
        std::memcpy(&q, qs + at, sizeof q);
        std::memcpy(&bytes, avail + at, sizeof bytes);
        const Gates open = __builtin_convertvector(bytes, Gates) != 0;
        const Values x = open ? q : lowest;
        where = x > most ? lane + static_cast<Whole>(at) : where;
        most = x > most ? x : most;
        odd |= x != x;
    }
    // Folds the lanes by halves, until each holds the result of all.
    const Gates halves[] = {
        {4, 5, 6, 7, 0, 1, 2, 3}, {2, 3, 0, 1, 6, 7, 4, 5}, {1, 0, 3, 2, 5, 4, 7, 6}};
    Values largest = most;
    for (const Gates& half : halves) {
        const Values other = __builtin_shuffle(largest, half);
        largest = other > largest ? other : largest;
        odd |= __builtin_shuffle(odd, half);
    }
    if (odd[0] != 0 || largest[0] == lowest[0]) return greedy_action(qs, avail, n_actions);
    Gates first = most == largest ? where : Gates{} + std::numeric_limits<Whole>::max();
    for (const Gates& half : halves) {
        const Gates other = __builtin_shuffle(first, half);
        first = other < first ? other : first;
    }
    return first[0];
}

// Writes y of one row. Returns the first agent without an available action, or kAllAvailable.
template <typename T>
std::int64_t td_target_row(const TdTarget<T>& args, std::int64_t row) {
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
            greedy_action_in_lanes(choosing + first, args.avail[row] + first, n_actions);
        if (action == kNoAction) return i;
        chosen[i] = target[first + action];
    }
    args.y[row] = reward + args.gamma * mix_row(args.mixer, row, chosen);
    return kAllAvailable;
}
#endif

}  // namespace
}  // namespace pyqmix
