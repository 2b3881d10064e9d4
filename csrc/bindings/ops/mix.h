// The mixing's tensors as pyqmix/ops hands them over.
#pragma once

#include <array>

#include "bindings/tensors.h"
#include "ops/mix/mix.h"

namespace pyqmix {

// agent_qs, w1, b1, w_final and v, each a matrix of one sample a row.
using MixTensors = std::array<Tensor, 5>;

template <typename T>
MixInputs<T> mix_inputs(const MixTensors& tensors) {
    const auto& [agent_qs, w1, b1, w_final, v] = tensors;
    const auto sizes = agent_qs.shape();
    return {
        sizes[0],           sizes[1],           b1.shape()[1],           agent_qs.rows<const T>(),
        w1.rows<const T>(), b1.rows<const T>(), w_final.rows<const T>(), v.rows<const T>()};
}

}  // namespace pyqmix
