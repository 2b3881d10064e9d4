// The policy's forward at one SIMD level. policy_cpu.cpp is compiled once for each level, with
// PYQMIX_SIMD_NAMESPACE naming it; policy.cpp chooses among them.
#pragma once

#include <cstdint>

#include "rollout/policy.h"

namespace pyqmix {
inline constexpr std::int64_t kTileRows = 8;  // pass through all layers together
}

#define PYQMIX_DECLARE_POLICY_LEVEL(level)                                                        \
    namespace pyqmix::level {                                                                     \
    /* Layers with ReLU between them: in (rows, inputs of the first) -> out (rows, outputs of the \
       last). scratch holds kTileRows rows of every layer's width. */                             \
    void dense_layers(const DenseLayer* layers, int count, std::int64_t rows, const float* in,    \
                      float* out, float* scratch);                                                \
    }

PYQMIX_DECLARE_POLICY_LEVEL(baseline)
PYQMIX_DECLARE_POLICY_LEVEL(avx2)
PYQMIX_DECLARE_POLICY_LEVEL(avx512)
