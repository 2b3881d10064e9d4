// ELU(x) = x above zero, exp(x) - 1 below, and its slope. In an unnamed namespace for the reason
// given in ops/mix/mix_math.h.
#pragma once

#include <math.h>

#include <cstdint>
#include <cstring>

#include "base/host_device.h"

namespace pyqmix {
namespace {

template <typename T>
struct Elu {
    T value;
    T slope;
};

PYQMIX_HD inline Elu<double> elu(double x) {
    if (x > 0) return {x, 1};
    return {::expm1(x), ::exp(x)};  // expm1(x) + 1 would lose the digits of a small slope
}

// Without branches or calls, so that it vectorises. With x = n ln 2 + r, |r| <= ln 2 / 2, and p =
// exp(r) - 1 by its Taylor series: exp(x) - 1 = 2^n p + (2^n - 1), which does not cancel, and
// exp(x) = 2^n p + 2^n. Where exp(x) leaves the normal numbers the value is -1, the slope 0.
PYQMIX_HD inline Elu<float> elu(float x) {
#if PYQMIX_DEVICE_CODE  // the GPU's own functions are as short
    if (x > 0) return {x, 1};
    return {::expm1f(x), ::expf(x)};
#else
    constexpr float kLowest = -87.336540f,
                    kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to integers
    constexpr float kLog2e = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
    const float below = x > 0.0f ? 0.0f : (x < kLowest ? kLowest : x);
    const float shifted = below * kLog2e + kRound;
    const float n = shifted - kRound;
    const float r = (below - n * kLn2High) - n * kLn2Low;
    float series = 1.0f / 5040;
    series = series * r + 1.0f / 720;
    series = series * r + 1.0f / 120;
    series = series * r + 1.0f / 24;
    series = series * r + 1.0f / 6;
    series = series * r + 0.5f;
    const float p = r + r * r * series;
    const std::int32_t exponent = (static_cast<std::int32_t>(n) + 127) * (1 << 23);
    float power;  // 2^n
    std::memcpy(&power, &exponent, sizeof power);
    const float slope = x < kLowest ? 0.0f : power * p + power;
    return {x > 0.0f ? x : power * p + (power - 1.0f), x > 0.0f ? 1.0f : slope};
#endif
}

}  // namespace
}  // namespace pyqmix
