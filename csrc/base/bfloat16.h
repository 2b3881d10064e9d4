// The type that values are stored as, and the type that they are computed in: float for bfloat16,
// the same type for float and double.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/host_device.h"
#if defined(__CUDACC__) || defined(PYQMIX_CUDA_EMULATION)
#include <cuda_bf16.h>
#endif

namespace pyqmix {

// The upper half of a float, rounded to nearest even.
struct BFloat16 {
    std::uint16_t bits;
};

template <typename T>
struct ComputedIn {
    using type = T;
};
template <>
struct ComputedIn<BFloat16> {
    using type = float;
};
template <typename T>
using Compute = typename ComputedIn<T>::type;

PYQMIX_HD inline float widen(float x) { return x; }
PYQMIX_HD inline double widen(double x) { return x; }
PYQMIX_HD inline float widen(BFloat16 x) {
    const std::uint32_t bits = std::uint32_t(x.bits) << 16;
    float wide;
    std::memcpy(&wide, &bits, sizeof wide);
    return wide;
}

template <typename T>
struct Narrow {
    PYQMIX_HD static T from(T x) { return x; }
};
template <>
struct Narrow<BFloat16> {
    PYQMIX_HD static BFloat16 from(float x) {
#if PYQMIX_DEVICE_CODE  // one instruction from compute capability 8.0 on
        return {__bfloat16_as_ushort(__float2bfloat16_rn(x))};
#else
        std::uint32_t bits;
        std::memcpy(&bits, &x, sizeof bits);
        if (x != x) return {0x7fff};  // rounding could make it infinite
        return {static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
#endif
    }
};

template <typename T>
PYQMIX_HD T narrow(Compute<T> x) {
    return Narrow<T>::from(x);
}

}  // namespace pyqmix
