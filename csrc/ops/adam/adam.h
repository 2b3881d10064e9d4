// One step of Adam on the CPU (Kingma and Ba, arXiv:1412.6980, algorithm 1), on a block of
// parameters whose gradient is first scaled down to a norm of at most `max_norm`:
//
//     g *= min(1, max_norm / (|g| + 1e-6))
//     m += (1 - beta1) (g - m)        v += (1 - beta2) (g² - v)
//     p -= lr / (1 - beta1^t) · m / (√v / √(1 - beta2^t) + eps)
//
// T is float or double. Runs on one thread, because memory limits the speed, and the block is
// small.
#pragma once

#include <cstdint>

namespace pyqmix {

template <typename T>
struct AdamStep {
    std::int64_t size = 0;    // K
    T* parameters = nullptr;  // (K,), written
    T* gradient = nullptr;    // (K,), scaled in place
    T* exp_avg = nullptr;     // (K,), m, written
    T* exp_avg_sq = nullptr;  // (K,), v, written
    std::int64_t step = 1;    // t, 1 at the first
    double lr = 0.0, beta1 = 0.0, beta2 = 0.0, eps = 0.0, max_norm = 0.0;
};

// Returns the gradient's norm before it is scaled.
template <typename T>
double adam_cpu(const AdamStep<T>& step);

}  // namespace pyqmix
