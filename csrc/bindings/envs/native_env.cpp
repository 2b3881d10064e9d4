#include "bindings/envs/native_env.h"

#include <pybind11/stl.h>

#include <optional>
#include <utility>

#include "bindings/bindings.h"
#include "bindings/gil.h"

namespace pyqmix {
namespace {

TeamReward team_reward_named(const std::string& name) {
    if (name == "sum") return TeamReward::sum;
    if (name == "mean") return TeamReward::mean;
    throw std::invalid_argument("team_reward: expected sum or mean, got '" + name + "'");
}

}  // namespace

std::vector<std::uint8_t> checked_actions(const EpisodeSpec& spec, const py::array& actions,
                                          const std::vector<std::int64_t>& shape) {
    const auto* from = data_of<const std::int64_t>("actions", actions, shape);
    std::vector<std::uint8_t> out(static_cast<std::size_t>(actions.size()));
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (from[i] < 0 || from[i] >= spec.n_actions)
            throw std::invalid_argument("actions: expected 0 to " +
                                        std::to_string(spec.n_actions - 1) + ", got " +
                                        std::to_string(from[i]));
        out[i] = static_cast<std::uint8_t>(from[i]);
    }
    return out;
}

namespace {

py::array_t<float> observation(const NativeEnv& env) {
    auto out = new_array<float>({env.spec().n_agents, env.spec().obs_dim});
    env.observe(out.mutable_data());
    return out;
}

py::array_t<float> state(const NativeEnv& env) {
    auto out = new_array<float>({env.state_width()});
    env.state(out.mutable_data());
    return out;
}

py::array_t<bool> avail(const NativeEnv& env) {
    auto out = new_array<bool>({env.spec().n_agents, env.spec().n_actions});
    env.avail(out.mutable_data());
    return out;
}

// None where the spec has no snapshots.
std::optional<py::array_t<std::uint8_t>> snapshot(const NativeEnv& env) {
    const EpisodeLayout layout(env.spec());
    if (!layout.has_snapshots()) return std::nullopt;
    auto out = new_array<std::uint8_t>({layout.snapshot_sizes.bytes});
    env.snapshot(reinterpret_cast<std::byte*>(out.mutable_data()));
    return out;
}

std::vector<double> rewards(const NativeEnv& env) {
    const auto each = env.rewards();
    return {each.begin(), each.end()};
}

// A batch, and the checked arrays of Python that it writes to.
class Batch {
   public:
    Batch(const NativeEnv& env, std::int64_t count, bool individual_rewards)
        : spec_(env.spec()),
          worlds_(count),
          rewards_{count},
          reports_wins_(env.reports_wins()),
          batch_(count > 0 ? env.batch(count, individual_rewards) : nullptr) {
        if (count < 1)
            throw std::invalid_argument("num_envs: expected a positive integer, got " +
                                        std::to_string(count));
        if (individual_rewards) rewards_.push_back(static_cast<std::int64_t>(env.rewards().size()));
    }

    void seed(std::uint64_t seed) { batch_->seed(seed); }

    void reset(const py::array& obs, const py::array& avail, const py::object& state,
               const py::object& mask, std::vector<std::optional<std::uint64_t>> seeds) {
        const BatchOfWorldsOut out = shown(obs, avail, state);
        WorldsToReset which;
        if (!mask.is_none())
            which.mask = data_of<const bool>("mask", mask.cast<py::array>(), {worlds_});
        if (!seeds.empty() && static_cast<std::int64_t>(seeds.size()) != worlds_)
            throw std::invalid_argument("seeds: expected " + std::to_string(worlds_) + ", got " +
                                        std::to_string(seeds.size()));
        which.seeds = std::move(seeds);
        const InUse::Lock lock(batch_->in_use, "this batch of environments");
        ReleaseGil release_gil;
        batch_->reset(which, out);
    }

    void step(const py::array& actions, const py::array& obs, const py::array& avail,
              const py::object& state, const py::array& rewards, const py::array& terminated,
              const py::array& truncated, const py::object& won) {
        BatchOfWorldsOut out = shown(obs, avail, state);
        out.rewards = data_of<double>("rewards", rewards, rewards_);
        out.terminated = data_of<bool>("terminated", terminated, {worlds_});
        out.truncated = data_of<bool>("truncated", truncated, {worlds_});
        if (reports_wins_) out.won = data_of<bool>("won", won.cast<py::array>(), {worlds_});
        const auto taken = checked_actions(spec_, actions, {worlds_, spec_.n_agents});
        const InUse::Lock lock(batch_->in_use, "this batch of environments");
        ReleaseGil release_gil;
        batch_->step(taken.data(), out);
    }

   private:
    BatchOfWorldsOut shown(const py::array& obs, const py::array& avail,
                           const py::object& state) const {
        BatchOfWorldsOut out;
        out.obs = data_of<float>("obs", obs, {worlds_, spec_.n_agents, spec_.obs_dim});
        out.avail = data_of<bool>("avail", avail, {worlds_, spec_.n_agents, spec_.n_actions});
        if (spec_.state_dim > 0)
            out.state =
                data_of<float>("state", state.cast<py::array>(), {worlds_, spec_.state_dim});
        return out;
    }

    EpisodeSpec spec_;
    std::int64_t worlds_;
    std::vector<std::int64_t> rewards_;  // their shape
    bool reports_wins_;
    std::unique_ptr<NativeBatch> batch_;
};

}  // namespace

WorldOptions world_options(bool truncate_at_limit, bool global_state, bool last_action,
                           const std::string& team_reward) {
    return {truncate_at_limit, global_state, last_action, team_reward_named(team_reward)};
}

void bind_native_env(py::module_& module) {
    py::class_<NativeEnv>(module, "NativeEnv")
        .def_property_readonly("spec", &NativeEnv::spec)
        .def("start", &NativeEnv::start, py::arg("seed"))
        .def(
            "step",
            [](NativeEnv& env, const py::array& actions) {
                env.step(checked_actions(env.spec(), actions, {env.spec().n_agents}).data());
            },
            py::arg("actions"))
        .def("observation", &observation)
        .def("state", &state)
        .def("avail", &avail)
        .def("snapshot", &snapshot)
        .def("rewards", &rewards)
        .def_property_readonly("reward", &NativeEnv::reward)
        .def_property_readonly("terminated", &NativeEnv::terminated)
        .def_property_readonly("truncated", &NativeEnv::truncated)
        .def_property_readonly("reports_wins", &NativeEnv::reports_wins)
        .def_property_readonly("won", &NativeEnv::won)
        .def_property_readonly("obs_scale", &NativeEnv::obs_scale)
        .def_property_readonly("state_scale", &NativeEnv::state_scale);
    py::class_<Batch>(module, "NativeBatch")
        .def(py::init<const NativeEnv&, std::int64_t, bool>(), py::arg("env"), py::arg("count"),
             py::arg("individual_rewards") = false)
        .def("seed", &Batch::seed, py::arg("seed"))
        .def("reset", &Batch::reset, py::arg("obs"), py::arg("avail"), py::arg("state"),
             py::arg("mask") = py::none(),
             py::arg("seeds") = std::vector<std::optional<std::uint64_t>>())
        .def("step", &Batch::step, py::arg("actions"), py::arg("obs"), py::arg("avail"),
             py::arg("state"), py::arg("rewards"), py::arg("terminated"), py::arg("truncated"),
             py::arg("won"));
}

}  // namespace pyqmix
