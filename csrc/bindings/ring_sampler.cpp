#include <algorithm>
#include <vector>

#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/ring.h"

namespace py = pybind11;

namespace pyqmix {
namespace {

// One sampler: holds at most one batch at a time, used from one thread at a time.
class Sampler {
   public:
    Sampler(std::shared_ptr<EpisodeRing> ring, std::uint64_t seed)
        : member_(std::move(ring), Role::sampler), draw_(seed) {}
    ~Sampler() {
        if (member_.here()) ring().unpin(member_.id(), slots_);
    }
    Sampler(const Sampler&) = delete;
    Sampler& operator=(const Sampler&) = delete;

    // Pins `batch` episodes and returns their lengths; fewer when no more could be had.
    py::array_t<std::int64_t> pin(std::int64_t batch) {
        member_.require_here();
        if (!slots_.empty()) throw std::runtime_error("this sampler already holds a batch");
        {
            const py::gil_scoped_release release_gil;
            ring().pin_uniform(member_.id(), batch, draw_, slots_);
        }
        auto lengths = new_array<std::int64_t>({static_cast<std::int64_t>(slots_.size())});
        std::transform(slots_.begin(), slots_.end(), lengths.mutable_data(),
                       [this](std::int64_t slot) { return ring().length(slot); });
        return lengths;
    }

    // Fills arrays whose shapes are those of BatchOut.
    void decode(const py::array& obs, const py::array& avail, const py::object& state,
                const py::array& actions, const py::array& rewards, const py::array& terminated) {
        const EpisodeSpec& s = ring().layout().spec;
        const auto batch = static_cast<std::int64_t>(slots_.size());
        BatchOut out;
        for (const std::int64_t slot : slots_) out.steps = std::max(out.steps, ring().length(slot));
        const std::int64_t points = out.steps + 1;
        out.obs = data_of<float>("obs", obs, {batch, points, s.n_agents, s.obs_dim});
        out.avail = data_of<bool>("avail", avail, {batch, points, s.n_agents, s.n_actions});
        if (s.state_dim > 0)
            out.state =
                data_of<float>("state", state.cast<py::array>(), {batch, points, s.state_dim});
        out.actions = data_of<std::int64_t>("actions", actions, {batch, out.steps, s.n_agents});
        out.rewards = data_of<float>("rewards", rewards, {batch, out.steps});
        out.terminated = data_of<bool>("terminated", terminated, {batch, out.steps});
        const py::gil_scoped_release release_gil;
        for (std::int64_t b = 0; b < batch; ++b)
            ring().decode_episode(slots_[static_cast<std::size_t>(b)], b, out);
    }

    void release() {
        if (member_.here()) ring().unpin(member_.id(), slots_);
        slots_.clear();
    }

   private:
    EpisodeRing& ring() const { return member_.ring(); }

    Member member_;
    UniformDraw draw_;
    std::vector<std::int64_t> slots_;
};

}  // namespace

void bind_ring_sampler(py::module_& module) {
    py::class_<Sampler>(module, "EpisodeSampler")
        .def(py::init<std::shared_ptr<EpisodeRing>, std::uint64_t>(), py::arg("ring"),
             py::arg("seed"))
        .def("pin", &Sampler::pin, py::arg("batch_size"))
        .def("decode", &Sampler::decode, py::arg("obs"), py::arg("avail"), py::arg("state"),
             py::arg("actions"), py::arg("rewards"), py::arg("terminated"))
        .def("release", &Sampler::release);
}

}  // namespace pyqmix
