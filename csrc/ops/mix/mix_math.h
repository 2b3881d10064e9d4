// One sample's mixing, forward and backward: the arithmetic that the CPU and the CUDA file share.
//
// Everything stands in an unnamed namespace on purpose: the CPU file is compiled once for each SIMD
// level, and the linker must not merge those copies.
#pragma once

#include <math.h>

#include "ops/mix/elu.h"
#include "ops/mix/mix.h"

namespace pyqmix {
namespace {

// Embedding units handled together: wide enough for a vector register, small enough for the stack.
constexpr int kMixBlock = 32;

PYQMIX_HD inline float magnitude(float x) { return ::fabsf(x); }
PYQMIX_HD inline double magnitude(double x) { return ::fabs(x); }

// d|x|/dx with 0 at 0, as torch.abs has it; NaN stays NaN.
template <typename T>
PYQMIX_HD T sign(T x) {
    return x > T(0) ? T(1) : (x < T(0) ? T(-1) : x * T(0));
}

// The contribution of four agents with values q to a unit of the hidden layer, summed among
// themselves first.
template <typename T>
PYQMIX_HD T four_agents(const T (&q)[4], T w0, T w1, T w2, T w3) {
    return (q[0] * magnitude(w0) + q[1] * magnitude(w1)) +
           (q[2] * magnitude(w2) + q[3] * magnitude(w3));
}

// The contribution of a unit of the hidden layer to q_tot.
template <typename T>
PYQMIX_HD T mixed_unit(T hidden, T w_final) {
    return elu(hidden).value * magnitude(w_final);
}

template <typename T>
struct UnitGrads {
    T hidden;  // of the unit before the ELU, and so of its bias
    T w_final;
};

template <typename T>
PYQMIX_HD UnitGrads<T> mixed_unit_backward(T hidden, T w_final, T grad_q_tot) {
    const Elu<T> activation = elu(hidden);
    return {grad_q_tot * magnitude(w_final) * activation.slope,
            grad_q_tot * activation.value * sign(w_final)};
}

template <typename T>
PYQMIX_HD T w1_backward(T grad_hidden, T q, T w1) {
    return grad_hidden * q * sign(w1);
}

// Adds in a tree of fixed shape: it rounds less than adding one by one, and it vectorises.
template <int kWidth = kMixBlock / 2, typename T>
PYQMIX_HD T sum_block(T (&x)[kMixBlock]) {
    for (int j = 0; j < kWidth; ++j) x[j] += x[j + kWidth];
    if constexpr (kWidth > 1)
        return sum_block<kWidth / 2>(x);
    else
        return x[0];
}

// The width of a whole block, known to the compiler: loops over it become plain vector code.
struct WholeBlock {
    PYQMIX_HD constexpr operator int() const { return kMixBlock; }
};

// Calls visit(first unit, width) for each block of the embedding.
template <typename Visit>
PYQMIX_HD void for_mix_blocks(std::int64_t embed_dim, const Visit& visit) {
    std::int64_t first = 0;
    for (; first + kMixBlock <= embed_dim; first += kMixBlock) visit(first, WholeBlock{});
    if (first < embed_dim) visit(first, static_cast<int>(embed_dim - first));
}

// Units [first, first + width) of q · |w1| + b1. Agents are summed four by four, and the bias comes
// last, so that fewer additions round at the size of the total.
template <typename T, typename Width>
PYQMIX_HD void mix_hidden(const MixInputs<T>& in, std::int64_t row, const T* agent_qs,
                          std::int64_t first, Width width, T (&hidden)[kMixBlock]) {
    const std::int64_t n = in.n_agents, embed = in.embed_dim;
    const T* w1 = in.w1[row] + first;
    for (int j = 0; j < width; ++j) hidden[j] = T(0);
    std::int64_t i = 0;
    for (; i + 4 <= n; i += 4, w1 += 4 * embed) {
        const T q[4] = {agent_qs[i], agent_qs[i + 1], agent_qs[i + 2], agent_qs[i + 3]};
        for (int j = 0; j < width; ++j)
            hidden[j] += four_agents(q, w1[j], w1[embed + j], w1[2 * embed + j], w1[3 * embed + j]);
    }
    for (; i < n; ++i, w1 += embed)
        for (int j = 0; j < width; ++j) hidden[j] += agent_qs[i] * magnitude(w1[j]);
    const T* b1 = in.b1[row] + first;
    for (int j = 0; j < width; ++j) hidden[j] += b1[j];
}

// q_tot of one row; agent_qs (n,) is an argument of its own, because the target selects it first.
template <typename T>
PYQMIX_HD T mix_row(const MixInputs<T>& in, std::int64_t row, const T* agent_qs) {
    T total = T(0);
    for_mix_blocks(in.embed_dim, [&](std::int64_t first, auto width) {
        T hidden[kMixBlock];
        mix_hidden(in, row, agent_qs, first, width, hidden);
        const T* w_final = in.w_final[row] + first;
        for (int j = 0; j < width; ++j) hidden[j] = mixed_unit(hidden[j], w_final[j]);
        for (int j = width; j < kMixBlock; ++j) hidden[j] = T(0);
        total += sum_block(hidden);
    });
    return total + in.v[row][0];
}

// Gradients of one row with respect to all five inputs; the hidden layer is recomputed, so that the
// forward saves only its inputs.
template <typename T>
PYQMIX_HD void mix_row_backward(const MixBackward<T>& args, std::int64_t row) {
    const MixInputs<T>& in = args.in;
    const std::int64_t n = in.n_agents, embed = in.embed_dim;
    const T grad = args.grad_q_tot[row][0];
    T* grad_qs = args.grad_agent_qs[row];
    for (std::int64_t i = 0; i < n; ++i) grad_qs[i] = T(0);
    for_mix_blocks(embed, [&](std::int64_t first, auto width) {
        T hidden[kMixBlock], grad_hidden[kMixBlock], products[kMixBlock];
        mix_hidden(in, row, in.agent_qs[row], first, width, hidden);
        const T* w_final = in.w_final[row] + first;
        T* grad_w_final = args.grad_w_final[row] + first;
        T* grad_b1 = args.grad_b1[row] + first;
        for (int j = 0; j < width; ++j) {
            const UnitGrads<T> grads = mixed_unit_backward(hidden[j], w_final[j], grad);
            grad_w_final[j] = grads.w_final;
            grad_hidden[j] = grads.hidden;
            grad_b1[j] = grads.hidden;
        }
        for (std::int64_t i = 0; i < n; ++i) {
            const T q = in.agent_qs[row][i];
            const T* w1 = in.w1[row] + i * embed + first;
            T* grad_w1 = args.grad_w1[row] + i * embed + first;
            for (int j = 0; j < width; ++j) {
                grad_w1[j] = w1_backward(grad_hidden[j], q, w1[j]);
                products[j] = grad_hidden[j] * magnitude(w1[j]);
            }
            for (int j = width; j < kMixBlock; ++j) products[j] = T(0);
            grad_qs[i] += sum_block(products);
        }
    });
    args.grad_v[row][0] = grad;
}

}  // namespace
}  // namespace pyqmix
