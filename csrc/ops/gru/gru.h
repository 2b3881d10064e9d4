// A gated recurrent unit over whole sequences on the CPU, forward and backward through time, as
// torch.nn.GRU defines it (Cho et al., arXiv:1406.1078, with the reset gate applied after the
// product):
//
//     r_t = sigmoid(x_t · W_ir + b_ir + h_{t-1} · W_hr + b_hr)        z_t likewise
//     n_t = tanh(x_t · W_in + b_in + r_t * (h_{t-1} · W_hn + b_hn))
//     h_t = (1 - z_t) * n_t + z_t * h_{t-1}                           h_{-1} = 0
//
// Sequences are packed: time-major, in order of falling length, so that the sequences that reach a
// step are the first ones of the step before. Each of G groups of sequences has its own parameters;
// all groups have the same lengths. T is float or double.
//
// The result does not depend on the number of threads: the chunks of sequences are always the same,
// and their gradients are added in order.
#pragma once

#include <cstdint>
#include <vector>

#include "base/rows.h"

namespace pyqmix {

struct GruShape {
    std::int64_t groups = 1;      // G
    std::int64_t input_dim = 0;   // I
    std::int64_t hidden_dim = 0;  // H
};

// Parameters, or their gradients, as torch.nn.GRU keeps them, stacked over groups. Contiguous; the
// three blocks of H rows are r, z, n.
template <typename P>
struct GruParameters {
    P* weight_ih = nullptr;  // (G, 3H, I)
    P* weight_hh = nullptr;  // (G, 3H, H)
    P* bias_ih = nullptr;    // (G, 3H)
    P* bias_hh = nullptr;    // (G, 3H)
};

template <typename T>
struct GruInputs {
    GruShape shape;
    std::vector<std::int64_t> batch_sizes;  // of each step: positive, never rising; their sum is R
    Rows<const T> features;                 // (R, G * I)
    GruParameters<const T> parameters;
};

// The number of T that the forward saves for the backward.
template <typename T>
std::int64_t gru_saved(const GruShape& shape, std::int64_t rows);

// Writes hidden (R, G * H), contiguous, and `saved` unless it is null.
template <typename T>
void gru_forward_cpu(const GruInputs<T>& in, T* hidden, T* saved, int threads);

// Writes gradients of all parameters, unless grads.weight_ih is null, and of the features
// (R, G * I) contiguous, unless null. `hidden` and `saved` are the forward's.
template <typename T>
void gru_backward_cpu(const GruInputs<T>& in, const T* hidden, const T* saved,
                      Rows<const T> grad_hidden, const GruParameters<T>& grads, T* grad_features,
                      int threads);

}  // namespace pyqmix
