// The instruction set that the CPU kernels use, chosen once when the process first needs it.
#pragma once

#include <string>
#include <vector>

namespace pyqmix {

enum class SimdLevel { baseline, avx2, avx512 };

// The best level that both the build and this CPU have, or the one that PYQMIX_SIMD names. Throws
// std::runtime_error if PYQMIX_SIMD names no level, or one that this CPU or build lacks.
SimdLevel simd_level();

std::string to_string(SimdLevel level);

// Levels compiled into this build, even if this CPU lacks them.
std::vector<std::string> compiled_simd_levels();

}  // namespace pyqmix
