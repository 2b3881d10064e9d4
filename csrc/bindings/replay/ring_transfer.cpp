#include "replay/ring_transfer.h"

#include "bindings/bindings.h"
#include "bindings/replay/ring.h"

namespace py = pybind11;

namespace pyqmix {
namespace {

// A sampler of one ring and a writer of another. One thread at a time.
class Transfer {
   public:
    Transfer(std::shared_ptr<EpisodeRing> from, std::shared_ptr<EpisodeRing> to)
        : from_(std::move(from), Role::sampler), to_(std::move(to), Role::writer) {}

    std::int64_t copy(std::uint64_t first, std::int64_t count) {
        from_.require_here();
        to_.require_here();
        return transfer_episodes(from_.ring(), from_.id(), first, count, to_.ring(), to_.id());
    }

   private:
    Member from_, to_;
};

}  // namespace

void bind_ring_transfer(py::module_& module) {
    py::class_<Transfer>(module, "EpisodeTransfer")
        .def(py::init<std::shared_ptr<EpisodeRing>, std::shared_ptr<EpisodeRing>>(),
             py::arg("source"), py::arg("target"))
        .def("copy", &Transfer::copy, py::arg("first"), py::arg("count"));
}

}  // namespace pyqmix
