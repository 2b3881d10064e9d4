// Row ranges of the mixer at one SIMD level. mix_cpu.cpp is compiled once for each level, with
// PYQMIX_SIMD_NAMESPACE naming it; mix_dispatch.cpp chooses among them.
#pragma once

#include "ops/mix/mix.h"

#define PYQMIX_DECLARE_MIX_LEVEL(level)                                                  \
    namespace pyqmix::level {                                                            \
    template <typename T>                                                                \
    void mix_forward_rows(const MixForward<T>&, std::int64_t begin, std::int64_t end);   \
    template <typename T>                                                                \
    void mix_backward_rows(const MixBackward<T>&, std::int64_t begin, std::int64_t end); \
    }

PYQMIX_DECLARE_MIX_LEVEL(baseline)
PYQMIX_DECLARE_MIX_LEVEL(avx2)
PYQMIX_DECLARE_MIX_LEVEL(avx512)
