// PYQMIX_AT_SIMD_LEVEL(function, arguments...) is a call of `function` from the namespace of the
// active SIMD level: an expression with the function's value.
#pragma once

#include "base/simd.h"

#if defined(PYQMIX_X86_LEVELS)
#define PYQMIX_AT_SIMD_LEVEL(function, ...)                \
    (::pyqmix::simd_level() == ::pyqmix::SimdLevel::avx512 \
         ? ::pyqmix::avx512::function(__VA_ARGS__)         \
     : ::pyqmix::simd_level() == ::pyqmix::SimdLevel::avx2 \
         ? ::pyqmix::avx2::function(__VA_ARGS__)           \
         : ::pyqmix::baseline::function(__VA_ARGS__))
#else
#define PYQMIX_AT_SIMD_LEVEL(function, ...) (::pyqmix::baseline::function(__VA_ARGS__))
#endif
