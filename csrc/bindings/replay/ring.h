// What the ring's bindings share.
#pragma once

#include <pybind11/numpy.h>

#include <memory>
#include <string>

#include "replay/episode_ring.h"
#include "replay/member.h"

namespace pyqmix {

void bind_ring_writer(pybind11::module_& module);
void bind_ring_sampler(pybind11::module_& module);
void bind_packed_episodes(pybind11::module_& module);
void bind_ring_transfer(pybind11::module_& module);

inline pybind11::dtype dtype_of(Storage type) { return pybind11::dtype(storage_name(type)); }

}  // namespace pyqmix
