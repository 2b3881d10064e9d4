// Matrix products on tiles that stay in cache, for the networks: register-blocked sums of
// kBlockRows x kPanel elements, written with the compiler's vectors. In an unnamed namespace for
// the reason given in ops/mix/mix_math.h.
//
// Every element adds its products in the order of k, one after another, in every block.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "gemm/panels.h"

namespace pyqmix {
namespace {

constexpr int kBlockVectors = 2;
#if defined(__AVX512F__)
constexpr int kBlockRows = 8;
#else
constexpr int kBlockRows = 4;
#endif

template <typename T>
struct VectorOf {
    static constexpr std::int64_t kLanes = kPanel<T> / kBlockVectors;
    typedef T type __attribute__((vector_size(kLanes * sizeof(T))));
};

// How a product's sums end. They begin at zero; the bias or the old output is added last, so that
// few additions round at the size of the result.
template <typename T>
struct Finish {
    const T* bias = nullptr;      // (N,), added; null: the old output is added, unless
    bool overwrite = false;       // this is set
    std::int64_t relu_width = 0;  // negative sums in this many first columns become 0
    const T* positive = nullptr;  // (M, N), if set: a sum becomes 0 where this is not above 0
    std::int64_t positive_stride = 0;
};

// Loops over a block's sums are unrolled: only then do the sums stay in registers.
#define PYQMIX_UNROLL _Pragma("GCC unroll 16")

// Rows [0, R) of one panel: c (R, panel) from a (R, K) and b (K, panel). With kTransposed a is
// given as (K, R).
template <typename T, int R, bool kTransposed>
void block(std::int64_t depth, const T* a, std::int64_t a_stride, const T* b, std::int64_t b_stride,
           T* c, std::int64_t c_stride, const Finish<T>& finish) {
    using Vector = typename VectorOf<T>::type;
    constexpr std::int64_t lanes = VectorOf<T>::kLanes;
    Vector sums[R][kBlockVectors];
    const auto each = [&](const auto& visit) {
        PYQMIX_UNROLL for (int r = 0; r < R; ++r) {
            PYQMIX_UNROLL for (int v = 0; v < kBlockVectors; ++v) visit(sums[r][v], r, v * lanes);
        }
    };
    const auto load = [](Vector& to, const T* from) { std::memcpy(&to, from, sizeof to); };
    each([](Vector& sum, int, std::int64_t) { sum = Vector{}; });
    for (std::int64_t k = 0; k < depth; ++k, b += b_stride) {
        Vector row[kBlockVectors];
        PYQMIX_UNROLL for (int v = 0; v < kBlockVectors; ++v) load(row[v], b + v * lanes);
        PYQMIX_UNROLL for (int r = 0; r < R; ++r) {
            const T x = kTransposed ? a[k * a_stride + r] : a[r * a_stride + k];
            PYQMIX_UNROLL for (int v = 0; v < kBlockVectors; ++v) sums[r][v] += x * row[v];
        }
    }
    Vector other;
    if (finish.bias)
        each([&](Vector& sum, int, std::int64_t j) {
            load(other, finish.bias + j);
            sum += other;
        });
    else if (!finish.overwrite)
        each([&](Vector& sum, int r, std::int64_t j) {
            load(other, c + r * c_stride + j);
            sum += other;
        });
    if (finish.relu_width > 0)  // NaN stays
        each([](Vector& sum, int, std::int64_t) { sum = sum < T(0) ? Vector{} : sum; });
    if (finish.positive)
        each([&](Vector& sum, int r, std::int64_t j) {
            load(other, finish.positive + r * finish.positive_stride + j);
            sum = other > T(0) ? sum : Vector{};
        });
    each([&](Vector& sum, int r, std::int64_t j) {
        std::memcpy(c + r * c_stride + j, &sum, sizeof sum);
    });
}

template <typename T, bool kTransposed>
void rows_of_panel(std::int64_t rows, std::int64_t depth, const T* a, std::int64_t a_stride,
                   const T* b, std::int64_t b_stride, T* c, std::int64_t c_stride,
                   Finish<T> finish) {
    const std::int64_t a_step = kTransposed ? 1 : a_stride;
    std::int64_t r = 0;
    const auto run = [&](auto count) {
        constexpr int R = decltype(count)::value;
        block<T, R, kTransposed>(depth, a + r * a_step, a_stride, b, b_stride, c + r * c_stride,
                                 c_stride, finish);
        r += R;
        if (finish.positive) finish.positive += R * finish.positive_stride;
    };
    while (r + kBlockRows <= rows) run(std::integral_constant<int, kBlockRows>{});
    if (r + 4 <= rows) run(std::integral_constant<int, 4>{});
    if (r + 2 <= rows) run(std::integral_constant<int, 2>{});
    if (r < rows) run(std::integral_constant<int, 1>{});
}

// c (M, N) = a (M, K) · b (K, N), ended as `finish` says; finish.bias is padded like b.
template <typename T>
void product(std::int64_t rows, const T* a, std::int64_t a_stride, const Panels<T>& b, T* c,
             std::int64_t c_stride, const Finish<T>& finish) {
    constexpr std::int64_t kDepth = 192;  // a panel of this many rows stays in the L1 cache
    for (std::int64_t k = 0; k < b.depth; k += kDepth) {
        const std::int64_t depth = std::min(kDepth, b.depth - k);
        Finish<T> part = finish;
        if (k > 0) part.bias = nullptr, part.overwrite = false;
        if (k + depth < b.depth) part.relu_width = 0, part.positive = nullptr;
        for (std::int64_t column = 0; column < b.width; column += kPanel<T>) {
            Finish<T> at = part;
            if (at.bias) at.bias += column;
            at.relu_width -= column;
            if (at.positive) at.positive += column;
            rows_of_panel<T, false>(rows, depth, a + k, a_stride, b.at(k, column), kPanel<T>,
                                    c + column, c_stride, at);
        }
    }
}

constexpr std::int64_t kOuterDepth = 512;  // the most that add_outer_product takes

// c (M, N) += aᵀ · b, with a (K, M) and b (K, N) as they lie in their tiles, K <= kOuterDepth. A
// piece of c stays in cache over all of K.
template <typename T>
void add_outer_product(std::int64_t depth, std::int64_t rows, std::int64_t width, const T* a,
                       std::int64_t a_stride, const T* b, std::int64_t b_stride, T* c,
                       std::int64_t c_stride) {
    constexpr std::int64_t kRows = 32, kDepth = 64;  // pieces of this size stay in the L1 cache
    alignas(64) T packed[kOuterDepth * kRows];
    for (std::int64_t row = 0; row < rows; row += kRows) {
        const std::int64_t count = std::min(kRows, rows - row);
        const T* from = a + row;
        std::int64_t stride = a_stride;
        if (count == kRows && width > 4 * kPanel<T>) {  // a is read often enough to pay for it
            for (std::int64_t k = 0; k < depth; ++k)
                std::memcpy(packed + k * kRows, from + k * a_stride, kRows * sizeof(T));
            from = packed;
            stride = kRows;
        }
        for (std::int64_t column = 0; column < width; column += kPanel<T>)
            for (std::int64_t k = 0; k < depth; k += kDepth)
                rows_of_panel<T, true>(count, std::min(kDepth, depth - k), from + k * stride,
                                       stride, b + k * b_stride + column, b_stride,
                                       c + row * c_stride + column, c_stride, {});
    }
}

}  // namespace
}  // namespace pyqmix
