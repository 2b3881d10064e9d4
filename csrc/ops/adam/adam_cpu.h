// The step at one SIMD level; built like ops/mix/mix_cpu.h.
#pragma once

#include "ops/adam/adam.h"

#define PYQMIX_DECLARE_ADAM_LEVEL(level)                        \
    namespace pyqmix::level {                                   \
    template <typename T>                                       \
    double sum_of_squares(const T* values, std::int64_t count); \
    /* The step, with the gradient scaled by `scale`. */        \
    template <typename T>                                       \
    void adam_step(const AdamStep<T>&, double scale);           \
    }

PYQMIX_DECLARE_ADAM_LEVEL(baseline)
PYQMIX_DECLARE_ADAM_LEVEL(avx2)
PYQMIX_DECLARE_ADAM_LEVEL(avx512)
