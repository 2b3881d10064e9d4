// Each binding file adds its functions to the module `pyqmix._C`.
#pragma once

#include <pybind11/pybind11.h>

namespace pyqmix {

void bind_build_info(pybind11::module_& module);
void bind_mixer(pybind11::module_& module);
void bind_td_target(pybind11::module_& module);
void bind_qmixer(pybind11::module_& module);
void bind_gru(pybind11::module_& module);
void bind_mlp(pybind11::module_& module);
void bind_adam(pybind11::module_& module);
void bind_linear(pybind11::module_& module);
void bind_network_spec(pybind11::module_& module);
void bind_training(pybind11::module_& module);
void bind_replay(pybind11::module_& module);
void bind_lbf(pybind11::module_& module);
void bind_rollout(pybind11::module_& module);

}  // namespace pyqmix
