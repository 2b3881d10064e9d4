// Zeroed memory that kernels reuse (workspace.h).
#pragma once

#include <cstdint>

#include "base/workspace.h"

namespace pyqmix {

// A zeroed block of `count` T. T is float or double.
template <typename T>
class ZeroBlock {
   public:
    explicit ZeroBlock(std::int64_t count = 0);
    T* data() const { return static_cast<T*>(block_.data()); }

   private:
    Workspace block_;
};

}  // namespace pyqmix
