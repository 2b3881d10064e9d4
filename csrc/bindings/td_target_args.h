// How pyqmix/ops hands the tensors of a target to a kernel.
#pragma once

#include "bindings/tensor_args.h"
#include "ops/td_target/td_target.h"

namespace pyqmix {

// The mixer is given apart.
struct TargetTensors {
    std::int64_t n_actions;
    TensorRows next_qs, online_next_qs, avail, rewards, terminated;
    double gamma;
    std::uintptr_t chosen_qs, y;

    template <typename T>
    TdTarget<T> as() const {
        return {{},
                n_actions,
                rows_of<const T>(next_qs),
                rows_of<const T>(online_next_qs),
                rows_of<const std::uint8_t>(avail),
                rows_of<const T>(rewards),
                rows_of<const std::uint8_t>(terminated),
                static_cast<Compute<T>>(gamma),
                reinterpret_cast<T*>(chosen_qs),
                reinterpret_cast<T*>(y)};
    }
};

}  // namespace pyqmix
