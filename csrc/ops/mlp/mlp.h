// Linear layers with ReLUs between them on the CPU, forward and backward in one pass over tiles of
// rows that stay in cache: the feed-forward agent network.
//
//     h_0 = [features, one-hot of (row mod one_hot)]    h_k = ReLU(h_{k-1} · W_kᵀ + b_k)
//
// and the last layer has a ReLU only where `final_relu` is set. Each of G groups of rows has its
// own parameters. T is float or double.
//
// The result does not depend on the number of threads: the chunks of rows are always the same, and
// their gradients are added in order.
#pragma once

#include <cstdint>
#include <vector>

#include "base/rows.h"

namespace pyqmix {

struct MlpShape {
    std::int64_t groups = 1;          // G
    std::int64_t input_dim = 0;       // I, without the one-hot part
    std::int64_t one_hot = 0;         // width of the one-hot part; 0: there is none
    std::vector<std::int64_t> sizes;  // outputs of each layer, the last one's are O
    bool final_relu = false;
};

// A layer's parameters, or their gradients, as PyTorch keeps them, stacked over groups. Contiguous.
template <typename P>
struct MlpLayer {
    P* weight = nullptr;  // (G, outputs, inputs)
    P* bias = nullptr;    // (G, outputs)
};

template <typename T>
struct MlpInputs {
    MlpShape shape;
    std::int64_t rows = 0;                  // R
    Rows<const T> features;                 // (R, G * I)
    std::vector<MlpLayer<const T>> layers;  // as many as sizes
};

// The number of T that the forward saves for the backward.
template <typename T>
std::int64_t mlp_saved(const MlpShape& shape, std::int64_t rows);

// Writes out (R, G * O), contiguous, and `saved` unless it is null.
template <typename T>
void mlp_forward_cpu(const MlpInputs<T>& in, T* out, T* saved, int threads);

template <typename T>
struct MlpGradients {
    Rows<const T> out;                // (R, G * O), read: of the outputs
    std::vector<MlpLayer<T>> layers;  // written
    T* features = nullptr;            // (R, G * I) contiguous, written unless null
};

// Writes gradients; `out` and `saved` are the forward's. `out` is read only with `final_relu`.
template <typename T>
void mlp_backward_cpu(const MlpInputs<T>& in, const T* out, const T* saved,
                      const MlpGradients<T>& grads, int threads);

}  // namespace pyqmix
