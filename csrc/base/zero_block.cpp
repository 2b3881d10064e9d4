#include "base/zero_block.h"

#include <cstring>

namespace pyqmix {

template <typename T>
ZeroBlock<T>::ZeroBlock(std::int64_t count) : block_(static_cast<std::size_t>(count) * sizeof(T)) {
    std::memset(block_.data(), 0, static_cast<std::size_t>(count) * sizeof(T));
}

template class ZeroBlock<float>;
template class ZeroBlock<double>;

}  // namespace pyqmix
