// How pyqmix/ops hands a checked tensor to a kernel: (address, row stride in elements). Only the
// private module `_C` takes such pairs; they never reach the public interface.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <stdexcept>
#include <utility>

#include "base/bfloat16.h"
#include "ops/mix/mix.h"

namespace pyqmix {

using TensorRows = std::pair<std::uintptr_t, std::int64_t>;

template <typename T>
Rows<T> rows_of(const TensorRows& tensor) {
    return {reinterpret_cast<T*>(tensor.first), tensor.second};
}

// What every mixing op takes, in the order of pyqmix.ops.mix.
struct MixTensors {
    std::int64_t rows, n_agents, embed_dim;
    TensorRows agent_qs, w1, b1, w_final, v;

    template <typename T>
    MixInputs<T> as() const {
        return {rows,
                n_agents,
                embed_dim,
                rows_of<const T>(agent_qs),
                rows_of<const T>(w1),
                rows_of<const T>(b1),
                rows_of<const T>(w_final),
                rows_of<const T>(v)};
    }
};

#if defined(PYQMIX_WITH_CUDA)
// Calls visit with a zero of the type whose elements have so many bytes.
template <typename Visit>
void with_element_type(int element_size, const Visit& visit) {
    if (element_size == 2) return visit(BFloat16{});
    if (element_size == 4) return visit(float{});
    if (element_size == 8) return visit(double{});
    throw std::invalid_argument("element_size: expected 2, 4 or 8 bytes");
}
#endif

}  // namespace pyqmix
