// Row ranges of the target at one SIMD level; built like ops/mix/mix_cpu.h.
#pragma once

#include "ops/td_target/td_target.h"

#define PYQMIX_DECLARE_TD_TARGET_LEVEL(level)                                              \
    namespace pyqmix::level {                                                              \
    template <typename T>                                                                  \
    std::int64_t td_target_rows(const TdTarget<T>&, std::int64_t begin, std::int64_t end); \
    }

PYQMIX_DECLARE_TD_TARGET_LEVEL(baseline)
PYQMIX_DECLARE_TD_TARGET_LEVEL(avx2)
PYQMIX_DECLARE_TD_TARGET_LEVEL(avx512)
