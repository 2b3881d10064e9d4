// One chunk of a recurrent unit's sequences at one SIMD level; built like ops/mix/mix_cpu.h.
#pragma once

#include "ops/gru/plan.h"

#define PYQMIX_DECLARE_GRU_LEVEL(level)                                   \
    namespace pyqmix::level {                                             \
    /* Writes hidden (R, H), and saved (R, gates) unless it is null. */   \
    template <typename T>                                                 \
    void gru_forward_chunk(const GruChunk<T>&, Rows<T> hidden, T* saved); \
    template <typename T>                                                 \
    void gru_backward_chunk(const GruChunk<T>&, const GruBackward<T>&);   \
    }

PYQMIX_DECLARE_GRU_LEVEL(baseline)
PYQMIX_DECLARE_GRU_LEVEL(avx2)
PYQMIX_DECLARE_GRU_LEVEL(avx512)
