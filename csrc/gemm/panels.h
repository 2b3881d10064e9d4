// Weight matrices as the blocks of gemm.h read them.
#pragma once

#include <algorithm>
#include <cstdint>

namespace pyqmix {

// Columns of a block; all widths in tiles are multiples of it. It is the same at every SIMD level:
// two vectors of 64 bytes, which levels with shorter vectors compose of these.
template <typename T>
inline constexpr std::int64_t kPanel = 128 / sizeof(T);

template <typename T>
constexpr std::int64_t padded(std::int64_t width) {
    return (width + kPanel<T> - 1) / kPanel<T> * kPanel<T>;
}

// A matrix (K, N) that is read from front to back: [N / panel][K][panel].
template <typename T>
struct Panels {
    T* data = nullptr;
    std::int64_t depth = 0, width = 0;  // K, and N padded

    T* at(std::int64_t k, std::int64_t column) const {
        return data + column / kPanel<T> * depth * kPanel<T> + k * kPanel<T> + column % kPanel<T>;
    }
};

// Puts wᵀ, of a PyTorch weight w (outputs, K), into columns [column, column + outputs).
template <typename T>
void put_transposed(const Panels<T>& to, std::int64_t column, const T* w, std::int64_t outputs) {
    for (std::int64_t first = 0; first < outputs; first += kPanel<T>) {
        const std::int64_t count = std::min(kPanel<T>, outputs - first);
        T* panel = to.at(0, column + first);
        const T* from = w + first * to.depth;
        for (std::int64_t k = 0; k < to.depth; ++k)
            for (std::int64_t j = 0; j < count; ++j)
                panel[k * kPanel<T> + j] = from[j * to.depth + k];
    }
}

// Puts w (K, columns) without transposing it.
template <typename T>
void put(const Panels<T>& to, const T* w, std::int64_t columns) {
    for (std::int64_t k = 0; k < to.depth; ++k)
        for (std::int64_t j = 0; j < columns; ++j) *to.at(k, j) = w[k * columns + j];
}

}  // namespace pyqmix
