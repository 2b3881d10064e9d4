#include "base/simd.h"
#include "bindings/bindings.h"

namespace pyqmix {

// Each is defined in the file of its name. A class is bound before those that derive from it.
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
void bind_smax(pybind11::module_& module);
void bind_play(pybind11::module_& module);

}  // namespace pyqmix

PYBIND11_MODULE(_C, module) {
    module.doc() = "The compiled part of pyqmix. Private: use pyqmix.ops and pyqmix.EpisodeRing.";
    pyqmix::simd_level();  // a wrong PYQMIX_SIMD fails here, once, and not inside a kernel
    pyqmix::bind_build_info(module);
    pyqmix::bind_mix(module);
    pyqmix::bind_td_target(module);
    pyqmix::bind_qmixer(module);
    pyqmix::bind_gru(module);
    pyqmix::bind_mlp(module);
    pyqmix::bind_adam(module);
    pyqmix::bind_linear(module);
    pyqmix::bind_episodes(module);
    pyqmix::bind_network_spec(module);
    pyqmix::bind_learn(module);
    pyqmix::bind_replay(module);
    pyqmix::bind_native_env(module);
    pyqmix::bind_lbf(module);
    pyqmix::bind_games(module);
    pyqmix::bind_smax(module);
    pyqmix::bind_play(module);
}
