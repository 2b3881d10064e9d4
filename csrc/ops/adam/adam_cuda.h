// The step of adam.h on an NVIDIA GPU, in two launches. Values that change from step to step lie on
// the device, so that a captured graph can be replayed. The norm is summed in a fixed order, so
// that two runs give the same bits.
#pragma once

#include <cstdint>

namespace pyqmix {

inline constexpr std::int64_t kAdamParts = 256;  // of the sum of squares

// T is float or double.
template <typename T>
struct AdamStepCuda {
    std::int64_t size = 0;        // K
    T* parameters = nullptr;      // (K,), written
    T* gradient = nullptr;        // (K,), scaled in place
    T* exp_avg = nullptr;         // (K,), m, written
    T* exp_avg_sq = nullptr;      // (K,), v, written
    const float* step = nullptr;  // (), t, 1 at the first
    const float* lr = nullptr;    // ()
    double beta1 = 0.0, beta2 = 0.0, eps = 0.0, max_norm = 0.0;
    T* scratch = nullptr;  // (kAdamParts + 2,)
    T* norm = nullptr;     // (), the gradient's norm before it is scaled, written
};

// Starts on a cudaStream_t of the current device; returns without synchronising.
template <typename T>
void adam_cuda(const AdamStepCuda<T>& step, void* stream);

}  // namespace pyqmix
