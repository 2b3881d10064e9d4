// Stands in for CUDA's header of this name; see cuda_runtime.h beside it.
#pragma once

#include <cstdint>
#include <cstring>

struct __nv_bfloat16 {
    std::uint16_t bits;
};

// Rounds to nearest even; NaN becomes CUDA's own.
inline __nv_bfloat16 __float2bfloat16_rn(float x) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    if (x != x) return {0x7fff};
    return {static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

inline std::uint16_t __bfloat16_as_ushort(__nv_bfloat16 x) { return x.bits; }
