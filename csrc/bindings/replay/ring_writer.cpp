#include <pybind11/stl.h>

#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/replay/ring.h"

namespace py = pybind11;

namespace pyqmix {
namespace {

// One writer: at most one episode open at a time, used from one thread at a time.
class Writer {
   public:
    explicit Writer(std::shared_ptr<EpisodeRing> ring) : member_(std::move(ring), Role::writer) {}
    ~Writer() {
        if (slot_ != SlotControl::kBusy && member_.here()) control().abort(slot_, member_.id());
    }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    bool open(std::optional<std::uint64_t> ticket) {
        member_.require_here();
        if (slot_ != SlotControl::kBusy)
            throw std::runtime_error("this writer already has an open episode");
        slot_ = ring().claim_ticket(ticket ? *ticket : control().reserve(1), member_.id());
        if (slot_ == SlotControl::kBusy) return false;
        ring().start(slot_);
        steps_ = 0;
        begun_ = false;
        return true;
    }

    void begin(const py::array& obs, const py::array& avail, const py::object& state,
               const std::optional<py::array>& snapshot) {
        require_open();
        if (begun_) throw std::runtime_error("this episode has already begun");
        ring().write_point(slot_, 0, point(obs, avail, state, snapshot));
        begun_ = true;
    }

    void append(const py::array& actions, double reward, bool terminated, const py::array& obs,
                const py::array& avail, const py::object& state,
                const std::optional<py::array>& snapshot) {
        require_open();
        if (!begun_) throw std::runtime_error("begin the episode with its first observation");
        if (!std::isfinite(static_cast<float>(reward)))
            throw std::invalid_argument(
                "reward: expected a finite number that float32 holds, got " +
                py::str(py::float_(reward)).cast<std::string>());
        const auto* taken = data_of<const std::int64_t>("actions", actions, {spec().n_agents});
        ring().write_point(slot_, steps_ + 1, point(obs, avail, state, snapshot));
        ring().write_step(slot_, steps_, taken, static_cast<float>(reward), terminated);
        ++steps_;
    }

    void write(const py::array& obs, const py::array& avail, const py::object& state,
               const py::array& actions, const py::array& rewards, const py::array& terminated) {
        require_open();
        if (begun_) throw std::runtime_error("this episode has already begun");
        if (rewards.ndim() != 1)
            throw std::invalid_argument("rewards: expected (L,) float32, got " +
                                        std::to_string(rewards.ndim()) + " dimensions");
        const std::int64_t steps = rewards.shape(0);
        EpisodeIn in;
        in.steps = steps;
        in.points = points({steps + 1}, obs, avail, state);
        in.actions = data_of<const std::int64_t>("actions", actions, {steps, spec().n_agents});
        in.rewards = data_of<const float>("rewards", rewards, {steps});
        in.terminated = data_of<const bool>("terminated", terminated, {steps});
        ring().write_episode(slot_, in);
        steps_ = steps;
        begun_ = true;
    }

    // The slot's fields as arrays in their storage types, to store an episode without a copy.
    py::dict views() {
        require_open();
        require_observations("views");
        const EpisodeSpec& s = spec();
        const EpisodeLayout& at = ring().layout();
        const std::int64_t steps = s.episode_limit, points = steps + 1, n = s.n_agents;
        py::dict out;
        const auto add = [&](const char* name, const py::dtype& dtype, std::int64_t offset,
                             const std::vector<py::ssize_t>& shape) {
            py::array view(dtype, shape, ring().at(slot_, offset), py::cast(member_.shared_ring()));
            out[name] = view;
            views_.push_back(std::move(view));
        };
        add("obs", dtype_of(s.obs_storage), at.obs, {points, n, s.obs_dim});
        add("avail", py::dtype::of<std::uint8_t>(), at.avail, {points, n, at.mask_bytes});
        if (s.state_dim > 0)
            add("state", dtype_of(s.state_storage), at.state, {points, s.state_dim});
        add("actions", py::dtype(at.action_bytes == 1 ? "uint8" : "uint16"), at.actions,
            {steps, n});
        add("rewards", py::dtype::of<float>(), at.rewards, {steps});
        add("terminated", py::dtype::of<bool>(), at.terminated, {steps});
        return out;
    }

    void finish(std::int64_t steps) {
        require_open();
        require_observations("finish");
        ring().finish(slot_, steps);
        steps_ = steps;
    }

    void publish() {
        require_open();
        if (steps_ == 0) throw std::runtime_error("an episode without a step cannot be published");
        close_views();
        if (!control().publish(std::exchange(slot_, SlotControl::kBusy), member_.id()))
            throw std::runtime_error("the episode's slot was taken from this writer");
    }

    void abort() {
        require_open();
        close_views();
        control().abort(std::exchange(slot_, SlotControl::kBusy), member_.id());
    }

    std::int64_t steps() const { return steps_; }

   private:
    EpisodeRing& ring() const { return member_.ring(); }
    SlotControl& control() const { return ring().control(); }
    const EpisodeSpec& spec() const { return ring().layout().spec; }

    void require_open() const {
        member_.require_here();
        if (slot_ == SlotControl::kBusy)
            throw std::runtime_error("this writer has no open episode");
    }
    void require_observations(const char* call) const {
        if (ring().layout().has_snapshots())
            throw std::invalid_argument(std::string(call) + ": this ring stores snapshots of " +
                                        snapshot_codec(spec().snapshot).name +
                                        " in place of observations and states");
    }
    void close_views() {
        for (const py::array& view : views_) view.attr("setflags")(false);
        views_.clear();
    }

    // Checked arrays of one point.
    PointIn point(const py::array& obs, const py::array& avail, const py::object& state,
                  const std::optional<py::array>& snapshot) const {
        PointIn in = points({}, obs, avail, state);
        const EpisodeLayout& at = ring().layout();
        if (snapshot && at.has_snapshots())
            in.snapshot = reinterpret_cast<const std::byte*>(
                data_of<const std::uint8_t>("snapshot", *snapshot, {at.snapshot_sizes.bytes}));
        return in;
    }
    // Checked arrays of so many points in time, or of one without that dimension.
    PointIn points(const std::vector<std::int64_t>& count, const py::array& obs,
                   const py::array& avail, const py::object& state) const {
        const EpisodeSpec& s = spec();
        const auto shape = [&](std::initializer_list<std::int64_t> rest) {
            std::vector<std::int64_t> all(count);
            all.insert(all.end(), rest);
            return all;
        };
        PointIn in;
        in.obs = data_of<const float>("obs", obs, shape({s.n_agents, s.obs_dim}));
        in.avail = data_of<const bool>("avail", avail, shape({s.n_agents, s.n_actions}));
        if (s.state_dim > 0) {
            if (!py::isinstance<py::array>(state))
                throw std::invalid_argument("state: expected " + shape_text(shape({s.state_dim})) +
                                            " float32, got none");
            in.state = data_of<const float>("state", state.cast<py::array>(), shape({s.state_dim}));
        } else if (!state.is_none()) {
            throw std::invalid_argument(
                "state: expected none, because it is the concatenated observations");
        }
        return in;
    }

    Member member_;
    std::int64_t slot_ = SlotControl::kBusy;
    std::int64_t steps_ = 0;
    bool begun_ = false;
    std::vector<py::array> views_;
};

}  // namespace

void bind_ring_writer(py::module_& module) {
    py::class_<Writer>(module, "EpisodeWriter")
        .def(py::init<std::shared_ptr<EpisodeRing>>(), py::arg("ring"))
        .def("open", &Writer::open, py::arg("ticket").none(true) = std::nullopt)
        .def("begin", &Writer::begin, py::arg("obs"), py::arg("avail"), py::arg("state"),
             py::arg("snapshot").none(true) = py::none())
        .def("append", &Writer::append, py::arg("actions"), py::arg("reward"),
             py::arg("terminated"), py::arg("obs"), py::arg("avail"), py::arg("state"),
             py::arg("snapshot").none(true) = py::none())
        .def("write", &Writer::write, py::arg("obs"), py::arg("avail"), py::arg("state"),
             py::arg("actions"), py::arg("rewards"), py::arg("terminated"))
        .def("views", &Writer::views)
        .def("finish", &Writer::finish, py::arg("steps"))
        .def("publish", &Writer::publish)
        .def("abort", &Writer::abort)
        .def_property_readonly("steps", &Writer::steps);
}

}  // namespace pyqmix
