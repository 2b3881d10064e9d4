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
typedef std::int32_t Indices __attribute__((vector_size(kLanes * sizeof(float))));
typedef std::uint32_t Words __attribute__((vector_size(kLanes * sizeof(float))));

inline Floats load(const float* from) {
    Floats to;
    std::memcpy(&to, from, sizeof to);
    return to;
}
inline void store(float* to, Floats from) { std::memcpy(to, &from, sizeof from); }

inline Floats all(float value) { return Floats{} + value; }

// Lane k of `from` for each k that `by` names.
inline Floats shuffled(Floats from, Indices by) {
#if defined(__clang__)
    Floats to;
    for (int k = 0; k < kLanes; ++k) to[k] = from[by[k]];
    return to;
#else
    return __builtin_shuffle(from, by);
#endif
}

// Bit k: whether lane k of `a` is below that of `b`.
inline UnitSet below(Floats a, Floats b) {
#if defined(__AVX512F__)
    return _mm512_cmp_ps_mask(std::bit_cast<__m512>(a), std::bit_cast<__m512>(b), _CMP_LT_OQ);
#elif defined(__AVX2__)
    return static_cast<unsigned>(_mm256_movemask_ps(
        _mm256_cmp_ps(std::bit_cast<__m256>(a), std::bit_cast<__m256>(b), _CMP_LT_OQ)));
#elif defined(__SSE2__)
    return static_cast<unsigned>(
        _mm_movemask_ps(_mm_cmplt_ps(std::bit_cast<__m128>(a), std::bit_cast<__m128>(b))));
#else
    UnitSet set = 0;
    for (int k = 0; k < kLanes; ++k) set |= UnitSet{a[k] < b[k]} << k;
    return set;
#endif
}

// The units that `test(first lane)` finds among its lanes, among the first `count`, from the vector
// of unit `begin` on.
template <typename Test>
inline UnitSet units_where(int begin, int count, const Test& test) {
    UnitSet set = 0;
    for (int lane = begin / kLanes * kLanes; lane < count; lane += kLanes)
        set |= test(static_cast<std::size_t>(lane)) << lane;
    return set;
}

// The units whose squared distance from unit i, as JAX rounds it, is below `bound`.
inline UnitSet within(const Units& units, int i, float bound) {
    const float x = units.x[static_cast<std::size_t>(i)], y = units.y[static_cast<std::size_t>(i)];
    return units_where(0, units.count, [&](std::size_t lane) {
        const Floats dx = load(&units.x[lane]) - x, dy = load(&units.y[lane]) - y;
        return below(dx * dx + dy * dy, all(bound));
    });
}

// Calls visit(i) for each unit of a set, in ascending order.
template <typename Visit>
inline void each_unit(UnitSet set, const Visit& visit) {
    for (; set != 0; set &= set - 1) visit(__builtin_ctzll(set));
}

}  // namespace pyqmix::PYQMIX_SIMD_NAMESPACE
