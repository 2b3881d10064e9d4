// How pyqmix/ops hands a checked tensor to a kernel: (address, row stride in elements). Only the
// private module `_C` takes such pairs; they never reach the public interface.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <utility>

#include "mixer/mixer.h"

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

}  // namespace pyqmix
