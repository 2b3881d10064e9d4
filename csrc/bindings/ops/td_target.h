// The target's tensors as pyqmix/ops hands them over.
#pragma once

#include <optional>
#include <tuple>

#include "bindings/tensors.h"
#include "ops/td_target/td_target.h"

namespace pyqmix {

// next_qs, online_next_qs, avail, rewards and terminated, each a matrix of one sample a row; gamma;
// chosen_qs (R, n); y (R,).
using TargetTensors =
    std::tuple<Tensor, std::optional<Tensor>, Tensor, Tensor, Tensor, double, Tensor, Tensor>;

inline const Tensor& written_target(const TargetTensors& tensors) { return std::get<7>(tensors); }

// All but the mixer.
template <typename T>
TdTarget<T> target_args(const TargetTensors& tensors) {
    const auto& [next_qs, online_next_qs, avail, rewards, terminated, gamma, chosen_qs, y] =
        tensors;
    return {{},
            next_qs.shape()[1] / chosen_qs.shape()[1],
            next_qs.rows<const T>(),
            online_next_qs ? online_next_qs->rows<const T>() : Rows<const T>{},
            avail.rows<const std::uint8_t>(),
            rewards.rows<const T>(),
            terminated.rows<const std::uint8_t>(),
            static_cast<Compute<T>>(gamma),
            chosen_qs.data<T>(),
            y.data<T>()};
}

}  // namespace pyqmix
