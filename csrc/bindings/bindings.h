// What all binding files share. Each defines one function bind_NAME, which module.cpp lists.
#pragma once

#include <pybind11/pybind11.h>

namespace pyqmix {

#if defined(PYQMIX_WITH_CUDA)
inline constexpr bool kWithCuda = true;
#else
inline constexpr bool kWithCuda = false;
#endif

// Calls bind(true) in a build with CUDA kernels. A generic lambda is parsed by every build, but
// only that one compiles it and needs the kernels' definitions.
template <typename Bind>
void if_with_cuda(const Bind& bind) {
    if constexpr (kWithCuda) bind(true);
}

}  // namespace pyqmix
