// Vectors of units, of the width that the SIMD level has. Included by sources that are compiled
// once for each level.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "envs/smax/units.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace pyqmix::PYQMIX_SIMD_NAMESPACE {

#if defined(__AVX512F__)
inline constexpr int kLanes = 16;
#elif defined(__AVX2__)
inline constexpr int kLanes = 8;
#else
inline constexpr int kLanes = 4;
#endif

typedef float Floats __attribute__((vector_size(kLanes * sizeof(float))));
typedef std::int32_t Flags __attribute__((vector_size(kLanes * sizeof(float))));  // 0 or -1

inline Floats load(const float* from) {
    Floats to;
    std::memcpy(&to, from, sizeof to);
    return to;
}
inline void store(float* to, Floats from) { std::memcpy(to, &from, sizeof from); }

// Bit k: whether lane k is set.
inline UnitSet set_of(Flags flags) {
#if defined(__AVX512F__)
    return _mm512_movepi32_mask(std::bit_cast<__m512i>(flags));
#elif defined(__AVX2__)
    return static_cast<unsigned>(_mm256_movemask_ps(std::bit_cast<__m256>(flags)));
#elif defined(__SSE2__)
    return static_cast<unsigned>(_mm_movemask_ps(std::bit_cast<__m128>(flags)));
#else
    UnitSet set = 0;
    for (int k = 0; k < kLanes; ++k) set |= UnitSet{flags[k] != 0} << k;
    return set;
#endif
}

// The units for which `test(first lane)` sets its flags, among the first `count`, from the vector
// of unit `begin` on.
template <typename Test>
inline UnitSet units_where(int begin, int count, const Test& test) {
    UnitSet set = 0;
    for (int lane = begin / kLanes * kLanes; lane < count; lane += kLanes)
        set |= set_of(test(lane)) << lane;
    return set;
}

// The units whose squared distance from unit i, as JAX rounds it, is below `bound`.
inline UnitSet within(const Units& units, int i, float bound) {
    const float x = units.x[static_cast<std::size_t>(i)], y = units.y[static_cast<std::size_t>(i)];
    return units_where(0, units.count, [&](int lane) -> Flags {
        const Floats dx = load(&units.x[static_cast<std::size_t>(lane)]) - x;
        const Floats dy = load(&units.y[static_cast<std::size_t>(lane)]) - y;
        return dx * dx + dy * dy < bound;
    });
}

// Calls visit(i) for each unit of a set, in ascending order.
template <typename Visit>
inline void each_unit(UnitSet set, const Visit& visit) {
    for (; set != 0; set &= set - 1) visit(__builtin_ctzll(set));
}

}  // namespace pyqmix::PYQMIX_SIMD_NAMESPACE
