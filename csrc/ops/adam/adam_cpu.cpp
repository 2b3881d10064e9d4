#include "ops/adam/adam_cpu.h"

#include <algorithm>
#include <cmath>

namespace pyqmix::PYQMIX_SIMD_NAMESPACE {

// Has a sum for each lane and adds these at the end, because a single sum would not vectorise.
template <typename T>
double sum_of_squares(const T* values, std::int64_t count) {
    constexpr std::int64_t kLanes = 16;
    double lanes[kLanes] = {};
    std::int64_t first = 0;
    for (; first + kLanes <= count; first += kLanes)
        for (std::int64_t j = 0; j < kLanes; ++j) {
            const auto value = static_cast<double>(values[first + j]);
            lanes[j] += value * value;
        }
    for (; first < count; ++first) {
        const auto value = static_cast<double>(values[first]);
        lanes[0] += value * value;
    }
    double sum = 0.0;
    for (const double lane : lanes) sum += lane;
    return sum;
}

template <typename T>
void adam_step(const AdamStep<T>& step, double scale) {
    const auto steps = static_cast<double>(step.step);
    const auto size = static_cast<T>(step.lr / (1.0 - std::pow(step.beta1, steps)));
    const auto root = static_cast<T>(1.0 / std::sqrt(1.0 - std::pow(step.beta2, steps)));
    const auto scaled = static_cast<T>(scale), eps = static_cast<T>(step.eps);
    const auto new1 = static_cast<T>(1.0 - step.beta1), new2 = static_cast<T>(1.0 - step.beta2);
    T* __restrict const parameters = step.parameters;
    T* __restrict const gradient = step.gradient;
    T* __restrict const exp_avg = step.exp_avg;
    T* __restrict const exp_avg_sq = step.exp_avg_sq;
    for (std::int64_t k = 0; k < step.size; ++k) {
        const T grad = gradient[k] * scaled;
        const T mean = exp_avg[k] + new1 * (grad - exp_avg[k]);
        const T square = exp_avg_sq[k] + new2 * (grad * grad - exp_avg_sq[k]);
        gradient[k] = grad;
        exp_avg[k] = mean;
        exp_avg_sq[k] = square;
        parameters[k] -= size * mean / (std::sqrt(square) * root + eps);
    }
}

#define PYQMIX_ADAM_OF(T)                                   \
    template double sum_of_squares(const T*, std::int64_t); \
    template void adam_step(const AdamStep<T>&, double);
PYQMIX_ADAM_OF(float)
PYQMIX_ADAM_OF(double)

}  // namespace pyqmix::PYQMIX_SIMD_NAMESPACE
