// A matrix of contiguous rows that lie `stride` elements apart, as in a tensor of shape (...,
// width) with its leading dimensions flattened. A slice of stacked outputs needs no copy.
#pragma once

#include <cstdint>

#include "base/host_device.h"

namespace pyqmix {

template <typename T>
struct Rows {
    T* data = nullptr;
    std::int64_t stride = 0;

    PYQMIX_HD T* operator[](std::int64_t row) const { return data + row * stride; }
};

}  // namespace pyqmix
