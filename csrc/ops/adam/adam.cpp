#include "ops/adam/adam.h"

#include <algorithm>
#include <cmath>

#include "base/simd_dispatch.h"
#include "ops/adam/adam_cpu.h"

namespace pyqmix {

template <typename T>
double adam_cpu(const AdamStep<T>& step) {
    const double squares = PYQMIX_AT_SIMD_LEVEL(sum_of_squares, step.gradient, step.size);
    const double norm = std::sqrt(squares);
    const double scale = step.max_norm / (norm + 1e-6);
    PYQMIX_AT_SIMD_LEVEL(adam_step, step, scale > 1.0 ? 1.0 : scale);  // NaN stays
    return norm;
}

template double adam_cpu(const AdamStep<float>&);
template double adam_cpu(const AdamStep<double>&);

}  // namespace pyqmix
