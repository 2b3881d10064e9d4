// The policy's forward at one SIMD level. policy_cpu.cpp is compiled once for each level, with
// PYQMIX_SIMD_NAMESPACE naming it; policy.cpp chooses among them.
#pragma once

#include <cstdint>

#include "base/rows.h"
#include "play/policy.h"

namespace pyqmix {

inline constexpr std::int64_t kPolicyTileRows = 8;  // pass through all layers together

// The rows that one network maps.
struct PolicyRows {
    std::int64_t count = 0;
    Rows<const float> obs;  // (count, O)
    std::int64_t obs_dim = 0;
    const float* obs_scale = nullptr;  // (O), or none
    Rows<float> hidden;                // (count, H): becomes the next one
    Rows<float> qs;                    // (count, A)
};

}  // namespace pyqmix

#define PYQMIX_DECLARE_POLICY_LEVEL(level)                                                       \
    namespace pyqmix::level {                                                                    \
    /* Layers with ReLU between them; scratch holds kPolicyTileRows rows of every layer's width, \
     * and of O. */                                                                              \
    void dense_layers(const DenseLayer* layers, std::int64_t count, const PolicyRows&,           \
                      float* scratch);                                                           \
    void gru_layers(const GruNetwork&, const PolicyRows&, float* scratch);                       \
    }

PYQMIX_DECLARE_POLICY_LEVEL(baseline)
PYQMIX_DECLARE_POLICY_LEVEL(avx2)
PYQMIX_DECLARE_POLICY_LEVEL(avx512)
