// PYQMIX_AT_SIMD_LEVEL(function) calls `function` from the namespace of the active SIMD level.
#pragma once

#include "base/simd.h"

#if defined(PYQMIX_X86_LEVELS)
#define PYQMIX_AT_SIMD_LEVEL(function, ...)                   \
    switch (::pyqmix::simd_level()) {                         \
        case ::pyqmix::SimdLevel::avx512:                     \
            return ::pyqmix::avx512::function(__VA_ARGS__);   \
        case ::pyqmix::SimdLevel::avx2:                       \
            return ::pyqmix::avx2::function(__VA_ARGS__);     \
        default:                                              \
            return ::pyqmix::baseline::function(__VA_ARGS__); \
    }
#else
#define PYQMIX_AT_SIMD_LEVEL(function, ...) return ::pyqmix::baseline::function(__VA_ARGS__);
#endif
