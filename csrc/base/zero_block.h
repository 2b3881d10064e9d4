// Memory that is zero at first, from what kernels keep for use again (workspace.h).
#pragma once

#include <cstdint>

#include "base/workspace.h"

namespace pyqmix {

// Memory for so many T, all zero. T is float or double.
template <typename T>
class ZeroBlock {
   public:
    explicit ZeroBlock(std::int64_t count = 0);
    T* data() const { return static_cast<T*>(block_.data()); }

   private:
    Workspace block_;
};

}  // namespace pyqmix
