// Neighbouring values that a lane loads and stores at once: 16 bytes where alignment allows.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>

#include "base/bfloat16.h"
#include "base/rows.h"

namespace pyqmix {
namespace {

constexpr int kPackBytes = 16;

template <typename T, int kUnits>
struct alignas(kUnits * sizeof(T)) Pack {
    T of[kUnits];
};

template <int kUnits, typename T>
__device__ void load(const T* from, Compute<T> (&to)[kUnits]) {
    const auto pack = *reinterpret_cast<const Pack<T, kUnits>*>(from);
#pragma unroll
    for (int j = 0; j < kUnits; ++j) to[j] = widen(pack.of[j]);
}

template <int kUnits, typename T>
__device__ void store(T* to, const Compute<T> (&from)[kUnits]) {
    Pack<T, kUnits> pack;
#pragma unroll
    for (int j = 0; j < kUnits; ++j) pack.of[j] = narrow<T>(from[j]);
    if constexpr (sizeof pack == kPackBytes) {  // nvcc would split an assignment
        uint4 bytes;
        std::memcpy(&bytes, &pack, sizeof bytes);
        __stcg(reinterpret_cast<uint4*>(to), bytes);
    } else {
        *reinterpret_cast<Pack<T, kUnits>*>(to) = pack;
    }
}

// Whether every row is aligned for whole packs.
template <typename T>
bool holds_packs(const Rows<T>& x) {
    return reinterpret_cast<std::uintptr_t>(x.data) % kPackBytes == 0 &&
           x.stride * std::int64_t(sizeof(T)) % kPackBytes == 0;
}

}  // namespace
}  // namespace pyqmix
