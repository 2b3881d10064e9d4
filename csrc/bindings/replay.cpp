#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/ring.h"

namespace py = pybind11;

namespace pyqmix {
namespace {

Storage storage_named(const std::string& name) {
    if (name == "int8") return Storage::int8;
    if (name == "uint8") return Storage::uint8;
    if (name == "int16") return Storage::int16;
    if (name == "float32") return Storage::float32;
    throw std::invalid_argument("storage: expected int8, uint8, int16 or float32, got " + name);
}

// One writer: at most one episode open at a time, used from one thread at a time.
class Writer {
   public:
    explicit Writer(std::shared_ptr<Ring> ring)
        : ring_(std::move(ring)), id_(ring_->writers.take("writers")) {}
    ~Writer() {
        if (slot_ != SlotControl::kBusy) abort();
        ring_->writers.give_back(id_);
    }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    bool open() {
        if (slot_ != SlotControl::kBusy)
            throw std::runtime_error("this writer already has an open episode");
        slot_ = control().claim(static_cast<std::uint64_t>(id_));
        if (slot_ == SlotControl::kBusy) return false;
        ring_->ring.start(slot_);
        steps_ = 0;
        begun_ = false;
        return true;
    }

    void begin(const py::array& obs, const py::array& avail, const py::object& state) {
        require_open();
        if (begun_) throw std::runtime_error("this episode has already begun");
        ring_->ring.write_point(slot_, 0, point(obs, avail, state));
        begun_ = true;
    }

    void append(const py::array& actions, double reward, bool terminated, const py::array& obs,
                const py::array& avail, const py::object& state) {
        require_open();
        if (!begun_) throw std::runtime_error("begin the episode with its first observation");
        const auto* taken = data_of<const std::int64_t>("actions", actions, {spec().n_agents});
        ring_->ring.write_point(slot_, steps_ + 1, point(obs, avail, state));
        ring_->ring.write_step(slot_, steps_, taken, static_cast<float>(reward), terminated);
        ++steps_;
    }

    void publish() {
        require_open();
        if (steps_ == 0) throw std::runtime_error("an episode without a step cannot be published");
        if (!control().publish(slot_, static_cast<std::uint64_t>(id_)))
            throw std::runtime_error("the episode's slot was taken from this writer");
        slot_ = SlotControl::kBusy;
    }

    void abort() {
        require_open();
        control().abort(slot_, static_cast<std::uint64_t>(id_));
        slot_ = SlotControl::kBusy;
    }

    std::int64_t steps() const { return steps_; }

   private:
    SlotControl& control() { return ring_->ring.control(); }
    const EpisodeSpec& spec() const { return ring_->ring.layout().spec; }
    void require_open() const {
        if (slot_ == SlotControl::kBusy)
            throw std::runtime_error("this writer has no open episode");
    }
    PointIn point(const py::array& obs, const py::array& avail, const py::object& state) const {
        const EpisodeSpec& s = spec();
        PointIn in;
        in.obs = data_of<const float>("obs", obs, {s.n_agents, s.obs_dim});
        in.avail = data_of<const bool>("avail", avail, {s.n_agents, s.n_actions});
        if (s.state_dim > 0) {
            if (!py::isinstance<py::array>(state))
                throw std::invalid_argument("state: expected " + shape_text({s.state_dim}) +
                                            " float32, got none");
            in.state = data_of<const float>("state", state.cast<py::array>(), {s.state_dim});
        } else if (!state.is_none()) {
            throw std::invalid_argument(
                "state: expected none, because it is the concatenated observations");
        }
        return in;
    }

    std::shared_ptr<Ring> ring_;
    int id_;
    std::int64_t slot_ = SlotControl::kBusy;
    std::int64_t steps_ = 0;
    bool begun_ = false;
};

// One sampler: holds at most one batch at a time, used from one thread at a time.
class Sampler {
   public:
    Sampler(std::shared_ptr<Ring> ring, std::uint64_t seed)
        : ring_(std::move(ring)), id_(ring_->samplers.take("samplers")), random_(seed) {}
    ~Sampler() {
        release();
        ring_->samplers.give_back(id_);
    }
    Sampler(const Sampler&) = delete;
    Sampler& operator=(const Sampler&) = delete;

    // Pins `batch` episodes and returns their lengths; fewer when no more could be had.
    py::array_t<std::int64_t> pin(std::int64_t batch) {
        if (!slots_.empty()) throw std::runtime_error("this sampler already holds a batch");
        {
            py::gil_scoped_release release_gil;
            ring_->ring.pin_uniform(id_, batch, random_, slots_);
        }
        py::array_t<std::int64_t> lengths(static_cast<py::ssize_t>(slots_.size()));
        for (std::size_t b = 0; b < slots_.size(); ++b)
            lengths.mutable_at(b) = ring_->ring.length(slots_[b]);
        return lengths;
    }

    void decode(const py::array& obs, const py::array& avail, const py::object& state,
                const py::array& actions, const py::array& rewards, const py::array& terminated) {
        const EpisodeSpec& s = ring_->ring.layout().spec;
        const auto batch = static_cast<std::int64_t>(slots_.size());
        BatchOut out;
        for (const std::int64_t slot : slots_)
            out.steps = std::max(out.steps, ring_->ring.length(slot));
        const std::int64_t points = out.steps + 1;
        out.obs = data_of<float>("obs", obs, {batch, points, s.n_agents, s.obs_dim});
        out.avail = data_of<bool>("avail", avail, {batch, points, s.n_agents, s.n_actions});
        if (s.state_dim > 0)
            out.state =
                data_of<float>("state", state.cast<py::array>(), {batch, points, s.state_dim});
        out.actions = data_of<std::int64_t>("actions", actions, {batch, out.steps, s.n_agents});
        out.rewards = data_of<float>("rewards", rewards, {batch, out.steps});
        out.terminated = data_of<bool>("terminated", terminated, {batch, out.steps});
        py::gil_scoped_release release_gil;
        for (std::int64_t b = 0; b < batch; ++b)
            ring_->ring.decode_episode(slots_[static_cast<std::size_t>(b)], b, out);
    }

    void release() {
        ring_->ring.unpin(id_, slots_);
        slots_.clear();
    }

   private:
    std::shared_ptr<Ring> ring_;
    int id_;
    std::mt19937_64 random_;
    std::vector<std::int64_t> slots_;
};

}  // namespace

void bind_replay(py::module_& module) {
    py::class_<EpisodeSpec>(module, "EpisodeSpec")
        .def(py::init([](std::int64_t n_agents, std::int64_t n_actions, std::int64_t obs_dim,
                         std::int64_t state_dim, std::int64_t episode_limit,
                         const std::string& obs_storage, const std::string& state_storage) {
                 return EpisodeSpec{n_agents,
                                    n_actions,
                                    obs_dim,
                                    state_dim,
                                    episode_limit,
                                    storage_named(obs_storage),
                                    storage_named(state_storage)};
             }),
             py::kw_only(), py::arg("n_agents"), py::arg("n_actions"), py::arg("obs_dim"),
             py::arg("state_dim"), py::arg("episode_limit"), py::arg("obs_storage"),
             py::arg("state_storage"));
    module.def("slot_bytes", [](const EpisodeSpec& spec) { return EpisodeLayout(spec).bytes; });

    py::class_<Ring, std::shared_ptr<Ring>>(module, "EpisodeRing")
        .def(py::init<const EpisodeSpec&, std::int64_t>(), py::arg("spec"), py::arg("capacity"))
        .def_property_readonly("capacity", [](Ring& r) { return r.ring.control().capacity(); })
        .def_property_readonly("nbytes", [](Ring& r) { return r.ring.bytes(); })
        .def("stats", [](Ring& r) {
            const SlotControl& control = r.ring.control();
            py::dict stats;
            stats["published"] = control.published();
            stats["overwritten"] = control.overwritten();
            stats["aborted"] = control.aborted();
            stats["busy"] = control.busy();
            return stats;
        });
    py::class_<Writer>(module, "EpisodeWriter")
        .def(py::init<std::shared_ptr<Ring>>(), py::arg("ring"))
        .def("open", &Writer::open)
        .def("begin", &Writer::begin, py::arg("obs"), py::arg("avail"), py::arg("state"))
        .def("append", &Writer::append, py::arg("actions"), py::arg("reward"),
             py::arg("terminated"), py::arg("obs"), py::arg("avail"), py::arg("state"))
        .def("publish", &Writer::publish)
        .def("abort", &Writer::abort)
        .def_property_readonly("steps", &Writer::steps);
    py::class_<Sampler>(module, "EpisodeSampler")
        .def(py::init<std::shared_ptr<Ring>, std::uint64_t>(), py::arg("ring"), py::arg("seed"))
        .def("pin", &Sampler::pin, py::arg("batch_size"))
        .def("decode", &Sampler::decode, py::arg("obs"), py::arg("avail"), py::arg("state"),
             py::arg("actions"), py::arg("rewards"), py::arg("terminated"))
        .def("release", &Sampler::release);
}

}  // namespace pyqmix
