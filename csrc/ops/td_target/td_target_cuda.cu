// The target on an NVIDIA GPU: one group of lanes for each sample.
#include <math.h>

#include <limits>

#include "base/cuda/launch.cuh"
#include "ops/mix/mix_lanes.cuh"
#include "ops/td_target/td_target_math.h"

namespace pyqmix {
namespace {

constexpr unsigned long long kNoneMissing = std::numeric_limits<unsigned long long>::max();

template <typename T>
struct Choice {
    T q = T(0);
    std::int64_t action = kNoAction;
};

// The better choice, and of equal values the smaller action, for either order of the arguments.
template <typename T>
__device__ Choice<T> better(const Choice<T>& a, const Choice<T>& b) {
    if (a.action == kNoAction || b.action == kNoAction) return a.action == kNoAction ? b : a;
    if (beats(a.q, b.q) || beats(b.q, a.q)) return beats(a.q, b.q) ? a : b;
    return a.action < b.action ? a : b;
}

// As greedy_action, by a group of lanes; the result is in all of them.
template <typename T>
__device__ std::int64_t greedy_action_by(const LaneGroup& group, const T* qs,
                                         const std::uint8_t* avail, std::int64_t n_actions) {
    Choice<Compute<T>> best;
    for (std::int64_t a = group.lane(); a < n_actions; a += group.lanes())
        if (avail[a]) best = better(best, {widen(qs[a]), a});
    for (int apart = group.lanes() / 2; apart > 0; apart /= 2)
        best = better(best, {group.from(best.q, apart), group.from(best.action, apart)});
    return best.action;
}

// The first agent of a row without an available action, or kAllAvailable; fills chosen (n,).
template <typename T>
__device__ std::int64_t choose_by(const LaneGroup& group, const TdTarget<T>& args, std::int64_t row,
                                  T* chosen) {
    const T* target = args.next_qs[row];
    const T* choosing = args.online_next_qs.data ? args.online_next_qs[row] : target;
    for (std::int64_t i = 0; i < args.mixer.n_agents; ++i) {
        const std::int64_t first = i * args.n_actions;
        const std::int64_t action =
            greedy_action_by(group, choosing + first, args.avail[row] + first, args.n_actions);
        if (action == kNoAction) return i;
        if (group.leads()) chosen[i] = target[first + action];
    }
    group.sync();
    return kAllAvailable;
}

template <typename T, int kUnits>
__global__ void __launch_bounds__(kThreads)
    td_target_kernel(TdTarget<T> args, int lanes, unsigned long long* missing) {
    using C = Compute<T>;
    const LaneGroup group(lanes);
    group.for_each_row(args.mixer.rows, [&](std::int64_t row) {
        const C reward = widen(args.rewards[row][0]);
        if (args.terminated[row][0]) {
            if (group.leads()) args.y[row] = narrow<T>(reward);
            return;
        }
        const std::int64_t n = args.mixer.n_agents;
        T* chosen = args.chosen_qs + row * n;
        const std::int64_t agent = choose_by(group, args, row, chosen);
        if (agent != kAllAvailable) {
            if (!group.leads()) return;
            atomicMin(missing, static_cast<unsigned long long>(row * n + agent));
            args.y[row] = narrow<T>(C(NAN));
            return;
        }
        const C q_tot = mix_row_by<kUnits>(group, args.mixer, row, chosen);
        if (group.leads()) args.y[row] = narrow<T>(reward + args.gamma * q_tot);
    });
}

}  // namespace

MissingAction::MissingAction() {
    void* cell = nullptr;
    check(cudaHostAlloc(&cell, sizeof *on_host_, cudaHostAllocMapped), "MissingAction");
    on_host_ = static_cast<unsigned long long*>(cell);
    *on_host_ = kNoneMissing;
    check(cudaHostGetDevicePointer(&cell, on_host_, 0), "MissingAction");
    on_device_ = static_cast<unsigned long long*>(cell);
}

MissingAction::~MissingAction() { static_cast<void>(cudaFreeHost(on_host_)); }

std::int64_t MissingAction::take() {
    volatile unsigned long long* cell = on_host_;
    const unsigned long long found = *cell;
    if (found == kNoneMissing) return kAllAvailable;
    *cell = kNoneMissing;
    return static_cast<std::int64_t>(found);
}

template <typename T>
void td_target_cuda(const TdTarget<T>& args, MissingAction& missing, void* stream) {
    constexpr int kUnits = kPackBytes / sizeof(T);
    const bool packs = holds_packs(args.mixer);
    launch("td_target_cuda", packs ? td_target_kernel<T, kUnits> : td_target_kernel<T, 1>,
           args.mixer.rows, lanes_for(args.mixer.embed_dim, packs ? kUnits : 1), stream, args,
           missing.on_device());
}

template void td_target_cuda(const TdTarget<float>&, MissingAction&, void*);
template void td_target_cuda(const TdTarget<double>&, MissingAction&, void*);
template void td_target_cuda(const TdTarget<BFloat16>&, MissingAction&, void*);

}  // namespace pyqmix
