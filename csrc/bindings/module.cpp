#include "bindings/bindings.h"

PYBIND11_MODULE(_C, module) {
    module.doc() = "The compiled part of pyqmix. Private: use pyqmix.ops and pyqmix.EpisodeRing.";
    pyqmix::bind_build_info(module);
    pyqmix::bind_mixer(module);
    pyqmix::bind_td_target(module);
    pyqmix::bind_replay(module);
}
