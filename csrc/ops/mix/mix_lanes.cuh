// One sample's mixing by a group of lanes; the arithmetic of a unit is that of mix_math.h. A lane
// holds kUnits neighbouring units of the embedding at a time.
#pragma once

#include "base/cuda/lane_group.cuh"
#include "base/cuda/packs.cuh"
#include "ops/mix/mix_math.h"

namespace pyqmix {
namespace {

constexpr int kAgents = 4;  // whose weights are loaded before the first is used

// Units [first, first + kUnits) of q · |w1| + b1, in the order of mix_hidden.
template <int kUnits, typename T>
__device__ void mix_hidden_units(const MixInputs<T>& in, std::int64_t row, const T* agent_qs,
                                 std::int64_t first, Compute<T> (&hidden)[kUnits]) {
    using C = Compute<T>;
    const std::int64_t n = in.n_agents, embed = in.embed_dim;
    const T* w1 = in.w1[row] + first;
#pragma unroll
    for (int j = 0; j < kUnits; ++j) hidden[j] = C(0);
    std::int64_t i = 0;
    for (; i + kAgents <= n; i += kAgents, w1 += kAgents * embed) {
        C weights[kAgents][kUnits];
#pragma unroll
        for (int a = 0; a < kAgents; ++a) load<kUnits>(w1 + a * embed, weights[a]);
        const C q[kAgents] = {widen(agent_qs[i]), widen(agent_qs[i + 1]), widen(agent_qs[i + 2]),
                              widen(agent_qs[i + 3])};
#pragma unroll
        for (int j = 0; j < kUnits; ++j)
            hidden[j] += four_agents(q, weights[0][j], weights[1][j], weights[2][j], weights[3][j]);
    }
    for (; i < n; ++i, w1 += embed) {
        C weights[kUnits];
        load<kUnits>(w1, weights);
        const C q = widen(agent_qs[i]);
#pragma unroll
        for (int j = 0; j < kUnits; ++j) hidden[j] += q * magnitude(weights[j]);
    }
    C bias[kUnits];
    load<kUnits>(in.b1[row] + first, bias);
#pragma unroll
    for (int j = 0; j < kUnits; ++j) hidden[j] += bias[j];
}

// q_tot of one row, in all lanes.
template <int kUnits, typename T>
__device__ Compute<T> mix_row_by(const LaneGroup& group, const MixInputs<T>& in, std::int64_t row,
                                 const T* agent_qs) {
    using C = Compute<T>;
    C total[1] = {C(0)};
    const std::int64_t step = group.lanes() * kUnits;
    for (std::int64_t first = group.lane() * kUnits; first < in.embed_dim; first += step) {
        C hidden[kUnits], w_final[kUnits];
        mix_hidden_units<kUnits>(in, row, agent_qs, first, hidden);
        load<kUnits>(in.w_final[row] + first, w_final);
#pragma unroll
        for (int j = 0; j < kUnits; ++j) total[0] += mixed_unit(hidden[j], w_final[j]);
    }
    group.sum(total);
    return total[0] + widen(in.v[row][0]);
}

// Units [first, first + kUnits): the gradients of b1 and w_final, the former returned too.
template <int kUnits, typename T>
__device__ void mix_units_backward(const MixBackward<T>& args, std::int64_t row, std::int64_t first,
                                   Compute<T> grad, Compute<T> (&grad_hidden)[kUnits]) {
    using C = Compute<T>;
    C hidden[kUnits], w_final[kUnits], grad_w_final[kUnits];
    mix_hidden_units<kUnits>(args.in, row, args.in.agent_qs[row], first, hidden);
    load<kUnits>(args.in.w_final[row] + first, w_final);
#pragma unroll
    for (int j = 0; j < kUnits; ++j) {
        const UnitGrads<C> grads = mixed_unit_backward(hidden[j], w_final[j], grad);
        grad_hidden[j] = grads.hidden;
        grad_w_final[j] = grads.w_final;
    }
    store<kUnits>(args.grad_b1[row] + first, grad_hidden);
    store<kUnits>(args.grad_w_final[row] + first, grad_w_final);
}

// Units [first, first + kUnits) of kAgents agents from i on, as far as there are agents: the
// gradient of w1, and in `parts` the contribution of these units to the gradient of each agent's
// value.
template <int kUnits, typename T>
__device__ void mix_agents_backward(const MixBackward<T>& args, std::int64_t row,
                                    std::int64_t first, std::int64_t i, std::int64_t end,
                                    const Compute<T> (&grad_hidden)[kUnits],
                                    Compute<T> (&parts)[kAgents]) {
    using C = Compute<T>;
    const std::int64_t embed = args.in.embed_dim;
    const T* w1 = args.in.w1[row] + i * embed + first;
    T* grad_w1 = args.grad_w1[row] + i * embed + first;
    C weights[kAgents][kUnits];
#pragma unroll
    for (int a = 0; a < kAgents; ++a)
        if (i + a < end) load<kUnits>(w1 + a * embed, weights[a]);
#pragma unroll
    for (int a = 0; a < kAgents; ++a) {
        if (i + a >= end) continue;
        const C q = widen(args.in.agent_qs[row][i + a]);
        C grads[kUnits];
#pragma unroll
        for (int j = 0; j < kUnits; ++j) {
            grads[j] = w1_backward(grad_hidden[j], q, weights[a][j]);
            parts[a] += grad_hidden[j] * magnitude(weights[a][j]);
        }
        store<kUnits>(grad_w1 + a * embed, grads);
    }
}

// Gradients of one row with respect to all five inputs. Takes as many agents at a time as there are
// lanes, so that each lane sums one agent's gradient. If the embedding is wider than the lanes hold
// at once, each set of agents recomputes the hidden layer.
template <int kUnits, typename T>
__device__ void mix_row_backward_by(const LaneGroup& group, const MixBackward<T>& args,
                                    std::int64_t row) {
    using C = Compute<T>;
    const std::int64_t n = args.in.n_agents, embed = args.in.embed_dim;
    const C grad = widen(args.grad_q_tot[row][0]);
    const std::int64_t step = group.lanes() * kUnits;
    C grad_hidden[kUnits];
    for (std::int64_t set = 0; set < n; set += group.lanes()) {
        const std::int64_t end = set + group.lanes() < n ? set + group.lanes() : n;
        C grad_q = C(0);  // of the agent set + lane
        for (std::int64_t block = 0; block < embed; block += step) {
            const std::int64_t first = block + group.lane() * kUnits;
            if (first < embed && (set == 0 || embed > step))
                mix_units_backward<kUnits>(args, row, first, grad, grad_hidden);
            for (std::int64_t i = set; i < end; i += kAgents) {
                C parts[kAgents] = {};
                if (first < embed)
                    mix_agents_backward<kUnits>(args, row, first, i, end, grad_hidden, parts);
                group.sum(parts);
#pragma unroll
                for (int a = 0; a < kAgents; ++a)
                    if (set + group.lane() == i + a) grad_q += parts[a];
            }
        }
        if (set + group.lane() < end)
            args.grad_agent_qs[row][set + group.lane()] = narrow<T>(grad_q);
    }
    if (group.leads()) args.grad_v[row][0] = args.grad_q_tot[row][0];
}

template <typename T>
bool holds_packs(const MixInputs<T>& in) {
    return holds_packs(in.w1) && holds_packs(in.b1) && holds_packs(in.w_final) &&
           in.embed_dim * std::int64_t(sizeof(T)) % kPackBytes == 0;
}

}  // namespace
}  // namespace pyqmix
