#include "base/simd.h"

#include <cstdlib>
#include <stdexcept>

namespace pyqmix {
namespace {

bool cpu_supports(SimdLevel level) {
#if defined(PYQMIX_X86_LEVELS)
    switch (level) {
        case SimdLevel::avx2:
            return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
        case SimdLevel::avx512:
            return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
        default:
            return true;
    }
#else
    return level == SimdLevel::baseline;
#endif
}

SimdLevel choose() {
    if (const char* wanted = std::getenv("PYQMIX_SIMD"); wanted && *wanted) {
        for (SimdLevel level : {SimdLevel::baseline, SimdLevel::avx2, SimdLevel::avx512}) {
            if (to_string(level) != wanted) continue;
            if (cpu_supports(level)) return level;
            throw std::runtime_error("PYQMIX_SIMD: this CPU or build does not support " +
                                     to_string(level));
        }
        throw std::runtime_error("PYQMIX_SIMD: expected baseline, avx2 or avx512, got " +
                                 std::string(wanted));
    }
    if (cpu_supports(SimdLevel::avx512)) return SimdLevel::avx512;
    if (cpu_supports(SimdLevel::avx2)) return SimdLevel::avx2;
    return SimdLevel::baseline;
}

}  // namespace

SimdLevel simd_level() {
    static const SimdLevel level = choose();
    return level;
}

std::string to_string(SimdLevel level) {
    switch (level) {
        case SimdLevel::avx2:
            return "avx2";
        case SimdLevel::avx512:
            return "avx512";
        default:
            return "baseline";
    }
}

std::vector<std::string> compiled_simd_levels() {
#if defined(PYQMIX_X86_LEVELS)
    return {"baseline", "avx2", "avx512"};
#else
    return {"baseline"};
#endif
}

}  // namespace pyqmix
