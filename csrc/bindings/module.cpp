#include "base/simd.h"
#include "bindings/bindings.h"

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
    pyqmix::bind_play(module);
}
