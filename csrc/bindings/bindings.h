// Each binding file adds its functions to the module `pyqmix._C`.
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

void bind_build_info(pybind11::module_& module);
void bind_mix(pybind11::module_& module);
void bind_td_target(pybind11::module_& module);
void bind_qmixer(pybind11::module_& module);
void bind_gru(pybind11::module_& module);
void bind_mlp(pybind11::module_& module);
void bind_adam(pybind11::module_& module);
void bind_linear(pybind11::module_& module);
void bind_episodes(pybind11::module_& module);
void bind_network_spec(pybind11::module_& module);
void bind_learn(pybind11::module_& module);
void bind_replay(pybind11::module_& module);
void bind_native_env(pybind11::module_& module);
void bind_lbf(pybind11::module_& module);
void bind_games(pybind11::module_& module);
void bind_play(pybind11::module_& module);

}  // namespace pyqmix
