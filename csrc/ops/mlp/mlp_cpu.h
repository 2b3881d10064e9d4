// One chunk of a network's rows at one SIMD level; built like ops/mix/mix_cpu.h.
#pragma once

#include "ops/mlp/plan.h"

#define PYQMIX_DECLARE_MLP_LEVEL(level)                                 \
    namespace pyqmix::level {                                           \
    /* Writes out (R, O), and saved (R, hidden) unless it is null. */   \
    template <typename T>                                               \
    void mlp_forward_chunk(const MlpChunk<T>&, Rows<T> out, T* saved);  \
    template <typename T>                                               \
    void mlp_backward_chunk(const MlpChunk<T>&, const MlpBackward<T>&); \
    }

PYQMIX_DECLARE_MLP_LEVEL(baseline)
PYQMIX_DECLARE_MLP_LEVEL(avx2)
PYQMIX_DECLARE_MLP_LEVEL(avx512)
