// The gated recurrent unit of one sequence at one step, forward and backward. The arithmetic stands
// in an unnamed namespace for the reason given in ops/mix/mix_math.h.
//
// Sigmoid and tanh work on vectors without branches. Their error is at most 3 units in the last
// place wherever the exact value is a normal number.
#pragma once

#include <cstdint>
#include <cstring>
#include <iterator>
#include <type_traits>

namespace pyqmix {

// The gates of one sequence at one step, each H numbers.
template <typename T>
struct GateRow {
    T* n;   // candidate
    T* r;   // reset
    T* z;   // update
    T* hn;  // the previous state's part of the candidate
};

namespace {

template <typename T>
struct ExpOf;  // constants of exp(x) for T

template <>
struct ExpOf<float> {
    using Bits = std::uint32_t;
    static constexpr int kMantissa = 23;
    static constexpr Bits kBias = 127;
    static constexpr float kRound = 12582912.0f;     // 1.5 * 2^23: adding it rounds to integers
    static constexpr float kLowest = -87.336540f;    // exp of less is no normal number
    static constexpr float kLn2High = 0.693359375f;  // so few bits that n * kLn2High is exact
    static constexpr float kLn2Low = -2.12194440e-4f;
    static constexpr float kSeries[] = {1.0f / 5040, 1.0f / 720, 1.0f / 120,
                                        1.0f / 24,   1.0f / 6,   0.5f};
};

template <>
struct ExpOf<double> {
    using Bits = std::uint64_t;
    static constexpr int kMantissa = 52;
    static constexpr Bits kBias = 1023;
    static constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52
    static constexpr double kLowest = -708.39;
    static constexpr double kLn2High = 6.93145751953125e-1;
    static constexpr double kLn2Low = 1.42860682030941723212e-6;
    static constexpr double kSeries[] = {
        1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320,
        1.0 / 5040,       1.0 / 720,       1.0 / 120,      1.0 / 24,      1.0 / 6,      0.5};
};

// The vectors of this SIMD level: wider ones could not be passed in registers.
#if defined(__AVX512F__)
constexpr std::int64_t kVectorBytes = 64;
#elif defined(__AVX__)
constexpr std::int64_t kVectorBytes = 32;
#else
constexpr std::int64_t kVectorBytes = 16;
#endif

template <typename T>
struct Lanes {
    static constexpr std::int64_t kCount = kVectorBytes / sizeof(T);
    typedef T type __attribute__((vector_size(kVectorBytes)));
    typedef typename ExpOf<T>::Bits bits __attribute__((vector_size(kVectorBytes)));
};

// exp(x) = power * p + power with power = 2^n, and exp(x) - 1 = power * p + (power - 1), which does
// not cancel: x = n ln 2 + r, |r| <= ln 2 / 2, and p = exp(r) - 1 by its Taylor series.
template <typename T>
struct ExpParts {
    typename Lanes<T>::type p, power;
};

// For x <= 0, or NaN. Below kLowest, gives the value at kLowest.
template <typename T>
inline ExpParts<T> exp_parts(typename Lanes<T>::type x) {
    using Of = ExpOf<T>;
    using Vector = typename Lanes<T>::type;
    using Bits = typename Lanes<T>::bits;
    const Vector lowest = Vector{} + Of::kLowest;
    const Vector below = x < lowest ? lowest : x;
    const Vector shifted = below * T(1.44269504088896340736) + Of::kRound;
    const Vector n = shifted - Of::kRound;
    const Vector r = (below - n * Of::kLn2High) - n * Of::kLn2Low;
    Vector series = Vector{} + Of::kSeries[0];
    for (std::size_t k = 1; k < std::size(Of::kSeries); ++k) series = series * r + Of::kSeries[k];
    // The last bits of `shifted` are n.
    const Bits power = (reinterpret_cast<Bits>(shifted) + Of::kBias) << Of::kMantissa;
    return {r + r * r * series, reinterpret_cast<Vector>(power)};
}

// 1 / (1 + exp(-x)); 0 where that is no normal number.
template <typename T>
inline typename Lanes<T>::type sigmoid(typename Lanes<T>::type x) {
    using Vector = typename Lanes<T>::type;
    const Vector zero{}, low = x > zero ? -x : x;  // NaN stays
    const ExpParts<T> parts = exp_parts<T>(low);
    const Vector e = low < zero + ExpOf<T>::kLowest ? zero : parts.power * parts.p + parts.power;
    return (x > zero ? zero + T(1) : e) / (e + T(1));
}

// With e = exp(-2 |x|) - 1, which keeps the digits of a small x: tanh |x| = -e / (2 + e).
template <typename T>
inline typename Lanes<T>::type hyperbolic_tangent(typename Lanes<T>::type x) {
    using Vector = typename Lanes<T>::type;
    const Vector zero{}, low = x > zero ? -x : x;
    const ExpParts<T> parts = exp_parts<T>(low + low);
    const Vector e = parts.power * parts.p + (parts.power - T(1));
    return (x > zero ? -e : e) / (e + T(2));
}

// Reads and writes `count` numbers of a vector; the others are 0.
template <typename T>
inline typename Lanes<T>::type load(const T* from, std::int64_t count) {
    typename Lanes<T>::type out{};
    if (count == Lanes<T>::kCount)
        std::memcpy(&out, from, sizeof out);
    else
        std::memcpy(&out, from, static_cast<std::size_t>(count) * sizeof(T));
    return out;
}

template <typename T>
inline void store(typename Lanes<T>::type value, T* to, std::int64_t count) {
    if (count == Lanes<T>::kCount)
        std::memcpy(to, &value, sizeof value);
    else
        std::memcpy(to, &value, static_cast<std::size_t>(count) * sizeof(T));
}

// Calls body(first, count) for each vector of [0, width): whole ones with a constant count.
template <typename T, typename Body>
inline void for_vectors(std::int64_t width, const Body& body) {
    constexpr std::int64_t lanes = Lanes<T>::kCount;
    std::int64_t first = 0;
    for (; first + lanes <= width; first += lanes)
        body(first, std::integral_constant<std::int64_t, lanes>{});
    if (first < width) body(first, width - first);
}

// Turns the sums of the gates into their values in place, and writes the hidden state:
//     r = sigmoid(.)   z = sigmoid(.)   n = tanh(. + r * hn)   h = (1 - z) * n + z * h_before
template <typename T>
inline void gates_forward(std::int64_t hidden_dim, const GateRow<T>& gates, const T* before,
                          T* hidden) {
    for_vectors<T>(hidden_dim, [&](std::int64_t j, auto count) {
        const auto r = sigmoid<T>(load(gates.r + j, count));
        const auto z = sigmoid<T>(load(gates.z + j, count));
        const auto n =
            hyperbolic_tangent<T>(load(gates.n + j, count) + r * load(gates.hn + j, count));
        store<T>(r, gates.r + j, count);
        store<T>(z, gates.z + j, count);
        store<T>(n, gates.n + j, count);
        store<T>(n + z * (load(before + j, count) - n), hidden + j, count);
    });
}

// Writes the gradients of the gates' sums. `carried` is this state's gradient from later steps; it
// becomes the gradient that passes straight to the state before.
template <typename T>
inline void gates_backward(std::int64_t hidden_dim, const GateRow<const T>& gates, const T* before,
                           const T* grad_hidden, T* carried, const GateRow<T>& grads) {
    for_vectors<T>(hidden_dim, [&](std::int64_t j, auto count) {
        const auto grad = load(grad_hidden + j, count) + load(carried + j, count);
        const auto n = load(gates.n + j, count), r = load(gates.r + j, count);
        const auto z = load(gates.z + j, count);
        const auto grad_n = grad * (T(1) - z) * (T(1) - n * n);
        store<T>(grad_n, grads.n + j, count);
        store<T>(grad_n * r, grads.hn + j, count);
        store<T>(grad_n * load(gates.hn + j, count) * (r * (T(1) - r)), grads.r + j, count);
        store<T>(grad * (load(before + j, count) - n) * (z * (T(1) - z)), grads.z + j, count);
        store<T>(grad * z, carried + j, count);
    });
}

}  // namespace
}  // namespace pyqmix
