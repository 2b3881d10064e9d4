#include "replay/packed_episodes.h"

#include <pybind11/stl.h>

#include <utility>

#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/replay/ring.h"

namespace py = pybind11;

namespace pyqmix {
namespace {

// An array that keeps the bytes without a copy.
py::array_t<std::uint8_t> to_own(std::vector<std::byte> bytes) {
    auto* const kept = new std::vector<std::byte>(std::move(bytes));
    const py::capsule owner(
        kept, [](void* vector) { delete static_cast<std::vector<std::byte>*>(vector); });
    return py::array_t<std::uint8_t>(static_cast<py::ssize_t>(kept->size()),
                                     reinterpret_cast<const std::uint8_t*>(kept->data()), owner);
}

py::array_t<std::uint8_t> pack(const std::shared_ptr<EpisodeRing>& ring, std::uint64_t ticket,
                               std::int64_t episode, std::int64_t count) {
    std::vector<std::byte> packed;
    {
        const ReleaseGil release_gil;
        const Member sampler(ring, Role::sampler);
        packed = pack_slots(*ring, sampler.id(), ticket, episode, count);
    }
    return to_own(std::move(packed));
}

}  // namespace

void bind_packed_episodes(py::module_& module) {
    module.def("pack_slots", &pack, py::arg("ring"), py::arg("ticket"), py::arg("episode"),
               py::arg("count"));
    py::class_<EpisodeReceiver>(module, "EpisodeReceiver")
        .def(py::init<std::shared_ptr<EpisodeRing>>(), py::arg("ring"))
        .def("expect", &EpisodeReceiver::expect, py::arg("first"), py::arg("count"),
             py::arg("ticket"))
        .def(
            "receive",
            [](EpisodeReceiver& receiver, const py::array& packed) {
                const auto* from = data_of<const std::uint8_t>("packed", packed, {packed.size()});
                return receiver.receive(reinterpret_cast<const std::byte*>(from), packed.size());
            },
            py::arg("packed"))
        .def("missing", &EpisodeReceiver::missing);
}

}  // namespace pyqmix
