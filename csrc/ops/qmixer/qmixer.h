// The whole mixing network of QMIX on the CPU: hypernetworks and mixing in one pass over tiles of
// rows that stay in cache (arXiv:1803.11485, section 4.1).
//
//     hidden_1 = ReLU(s · A1ᵀ)    w1      = hidden_1 · A2ᵀ         b1 = s · Bᵀ
//     hidden_f = ReLU(s · F1ᵀ)    w_final = hidden_f · F2ᵀ         v  = ReLU(s · V1ᵀ) · v2
//     q_tot = ELU(q · |w1| + b1) · |w_final| + v
//
// and biases. With hypernetworks of one layer w1 = s · A1ᵀ and w_final = s · F1ᵀ. Layers with the
// same input share one product. T is float or double.
//
// The result does not depend on the number of threads: the chunks of rows are always the same, and
// their gradients are added in order.
#pragma once

#include <cstdint>

#include "base/rows.h"
#include "ops/td_target/td_target.h"

namespace pyqmix {

struct QMixerShape {
    std::int64_t n_agents = 0;      // n
    std::int64_t state_dim = 0;     // S
    std::int64_t embed_dim = 0;     // E
    std::int64_t hypernet_dim = 0;  // H; 0: hypernetworks of one layer
};

// A linear layer as PyTorch keeps it: weight (out, in), bias (out), contiguous.
template <typename P>
struct Linear {
    P* weight = nullptr;
    P* bias = nullptr;
};

// Parameters, or their gradients. The *_out layers are unset with one layer.
template <typename P>
struct QMixerLayers {
    Linear<P> w1_in, w1_out, b1, w_final_in, w_final_out, v_in, v_out;
};

template <typename T>
struct QMixerInputs {
    QMixerShape shape;
    std::int64_t rows = 0;   // R
    Rows<const T> agent_qs;  // (R, n)
    Rows<const T> states;    // (R, S)
    QMixerLayers<const T> layers;
};

// The number of T that the forward saves for the backward, aligned to 64 bytes.
template <typename T>
std::int64_t qmixer_saved(const QMixerShape& shape, std::int64_t rows);

// Writes q_tot (R,), and `saved` unless it is null.
template <typename T>
void qmixer_forward_cpu(const QMixerInputs<T>& in, T* q_tot, T* saved, int threads);

// Writes gradients of all parameters, unless grads.w1_in.weight is null, and of agent_qs (R, n)
// contiguous.
template <typename T>
void qmixer_backward_cpu(const QMixerInputs<T>& in, const T* saved, Rows<const T> grad_q_tot,
                         const QMixerLayers<T>& grads, T* grad_agent_qs, int threads);

// The loss: sum over rows of weights[r] · (targets[r] - q_tot[r])².
template <typename T>
struct SquaredError {
    const T* targets = nullptr;  // (R,)
    const T* weights = nullptr;  // (R,)
    T* q_tot = nullptr;          // (R,), written
};

// Returns the loss, and writes its gradients of all parameters and of agent_qs (R, n) contiguous:
// each tile's backward follows its forward, and nothing is saved.
template <typename T>
double qmixer_loss_cpu(const QMixerInputs<T>& in, const SquaredError<T>& error,
                       const QMixerLayers<T>& grads, T* grad_agent_qs, int threads);

// As td_target_cpu, with this network at the states s' as the target mixer: target.mixer and
// in.agent_qs are not read.
template <typename T>
std::int64_t qmixer_td_target_cpu(const QMixerInputs<T>& in, const TdTarget<T>& target,
                                  int threads);

}  // namespace pyqmix
