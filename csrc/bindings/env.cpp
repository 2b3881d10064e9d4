#include <pybind11/stl.h>

#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/exclusive.h"
#include "envs/lbf/lbf_batch.h"
#include "envs/lbf/lbf_env.h"

namespace pyqmix {
namespace {

TeamReward team_reward_named(const std::string& name) {
    if (name == "sum") return TeamReward::sum;
    if (name == "mean") return TeamReward::mean;
    if (name == "individual") return TeamReward::individual;
    throw std::invalid_argument("team_reward: expected sum, mean or individual, got '" + name +
                                "'");
}

Positions positions_named(const std::string& name) {
    if (name == "absolute") return Positions::absolute;
    if (name == "relative") return Positions::relative;
    if (name == "both") return Positions::both;
    throw std::invalid_argument("positions: expected absolute, relative or both, got '" + name +
                                "'");
}

std::int64_t players_of(const LbfEnv& env) { return env.world().rules().players(); }

// Actions of any shape, as bytes; each must be one of the six.
std::vector<std::uint8_t> actions_of(const py::array& actions,
                                     const std::vector<std::int64_t>& shape) {
    const auto* from = data_of<const std::int64_t>("actions", actions, shape);
    std::vector<std::uint8_t> out(static_cast<std::size_t>(actions.size()));
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (from[i] < 0 || from[i] >= LbfWorld::kActions)
            throw std::invalid_argument("actions: expected 0 to 5, got " + std::to_string(from[i]));
        out[i] = static_cast<std::uint8_t>(from[i]);
    }
    return out;
}

py::array_t<float> observation(const LbfEnv& env) {
    auto out = new_array<float>({players_of(env), env.obs_dim()});
    env.observe(out.mutable_data());
    return out;
}

py::array_t<float> state(const LbfEnv& env) {
    auto out = new_array<float>({env.world().state_dim()});
    env.world().state(out.mutable_data());
    return out;
}

py::array_t<bool> avail(const LbfEnv& env) {
    auto out = new_array<bool>({players_of(env), LbfWorld::kActions});
    bool* to = out.mutable_data();
    for (int i = 0; i < env.world().rules().players(); ++i)
        for (int action = 0; action < LbfWorld::kActions; ++action)
            *to++ = env.available(i) >> action & 1u;
    return out;
}

std::vector<double> rewards(const LbfEnv& env) {
    std::vector<double> out;
    for (int i = 0; i < env.world().rules().players(); ++i) out.push_back(env.world().reward(i));
    return out;
}

std::vector<std::tuple<int, int, int>> food(const LbfEnv& env) {
    std::vector<std::tuple<int, int, int>> out;
    for (const auto& f : env.world().food()) out.emplace_back(f.row, f.col, f.level);
    return out;
}

std::vector<std::tuple<int, int, int>> players(const LbfEnv& env) {
    std::vector<std::tuple<int, int, int>> out;
    for (const auto& p : env.world().players()) out.emplace_back(p.row, p.col, p.level);
    return out;
}

// A batch that one Python thread at a time uses.
struct Batch {
    Batch(const LbfEnv& env, std::int64_t count) : worlds(env, count) {
        if (count < 1)
            throw std::invalid_argument("num_envs: expected a positive integer, got " +
                                        std::to_string(count));
    }
    LbfBatch worlds;
    InUse in_use;
};

// Arrays of Python that a batch writes to, checked.
class BatchArrays {
   public:
    explicit BatchArrays(const LbfBatch& batch)
        : env_(batch.env(0)), worlds_(batch.size()), n_(players_of(env_)) {}

    LbfBatchOut shown(const py::array& obs, const py::array& avail, const py::object& state) const {
        LbfBatchOut out;
        out.obs = data_of<float>("obs", obs, {worlds_, n_, env_.obs_dim()});
        out.avail = data_of<bool>("avail", avail, {worlds_, n_, LbfWorld::kActions});
        if (env_.view().global_state)
            out.state = data_of<float>("state", state.cast<py::array>(),
                                       {worlds_, env_.world().state_dim()});
        return out;
    }
    std::vector<std::int64_t> actions() const { return {worlds_, n_}; }
    std::vector<std::int64_t> rewards() const {
        if (env_.view().team_reward == TeamReward::individual) return {worlds_, n_};
        return {worlds_};
    }

   private:
    const LbfEnv& env_;
    std::int64_t worlds_, n_;
};

void bind_rules(py::module_& module) {
    py::class_<LbfRules>(module, "LbfRules")
        .def(py::init([](int rows, int cols, int max_num_food, int sight,
                         std::vector<int> min_player_level, std::vector<int> max_player_level,
                         std::vector<int> min_food_level,
                         std::optional<std::vector<int>> max_food_level, bool force_coop,
                         bool normalize_reward, bool grid_observation, bool observe_agent_levels,
                         double penalty, int max_episode_steps) {
                 LbfRules rules{rows,
                                cols,
                                max_num_food,
                                sight,
                                std::move(min_player_level),
                                std::move(max_player_level),
                                std::move(min_food_level),
                                std::move(max_food_level),
                                force_coop,
                                normalize_reward,
                                grid_observation,
                                observe_agent_levels,
                                penalty,
                                max_episode_steps};
                 rules.validate();
                 return rules;
             }),
             py::kw_only(), py::arg("rows"), py::arg("cols"), py::arg("max_num_food"),
             py::arg("sight"), py::arg("min_player_level"), py::arg("max_player_level"),
             py::arg("min_food_level"), py::arg("max_food_level"), py::arg("force_coop"),
             py::arg("normalize_reward"), py::arg("grid_observation"),
             py::arg("observe_agent_levels"), py::arg("penalty"), py::arg("max_episode_steps"))
        .def_readonly("rows", &LbfRules::rows)
        .def_readonly("cols", &LbfRules::cols)
        .def_readonly("max_num_food", &LbfRules::max_num_food)
        .def_readonly("sight", &LbfRules::sight)
        .def_readonly("min_player_level", &LbfRules::min_player_level)
        .def_readonly("max_player_level", &LbfRules::max_player_level)
        .def_readonly("min_food_level", &LbfRules::min_food_level)
        .def_readonly("max_food_level", &LbfRules::max_food_level)
        .def_readonly("force_coop", &LbfRules::force_coop)
        .def_readonly("normalize_reward", &LbfRules::normalize_reward)
        .def_readonly("grid_observation", &LbfRules::grid_observation)
        .def_readonly("observe_agent_levels", &LbfRules::observe_agent_levels)
        .def_readonly("penalty", &LbfRules::penalty)
        .def_readonly("max_episode_steps", &LbfRules::max_episode_steps)
        .def_property_readonly("players", &LbfRules::players)
        .def_property_readonly("highest_food_level", &LbfRules::highest_food_level);
    module.def("parse_lbf_task", &parse_lbf_task, py::arg("name"));
}

void bind_env(py::module_& module) {
    py::class_<LbfEnv>(module, "LbfEnv")
        .def(py::init([](const LbfRules& rules, bool truncate_at_limit, bool action_mask,
                         bool global_state, const std::string& team_reward,
                         const std::string& positions, bool last_action) {
                 return LbfEnv(rules, LbfView{truncate_at_limit,
                                              action_mask,
                                              global_state,
                                              team_reward_named(team_reward),
                                              {positions_named(positions), last_action}});
             }),
             py::arg("rules"), py::kw_only(), py::arg("truncate_at_limit") = false,
             py::arg("action_mask") = true, py::arg("global_state") = false,
             py::arg("team_reward") = "sum", py::arg("positions") = "absolute",
             py::arg("last_action") = false)
        .def("seed", &LbfEnv::seed, py::arg("seed"))
        .def("reset", &LbfEnv::reset)
        .def("start", &LbfEnv::start, py::arg("seed"))
        .def(
            "step",
            [](LbfEnv& env, const py::array& actions) {
                env.step(actions_of(actions, {players_of(env)}).data());
            },
            py::arg("actions"))
        .def("observation", &observation)
        .def("state", &state)
        .def("avail", &avail)
        .def("rewards", &rewards)
        .def_property_readonly("food", &food)
        .def_property_readonly("players", &players)
        .def_property_readonly("reward", &LbfEnv::reward)
        .def_property_readonly("ended", &LbfEnv::ended)
        .def_property_readonly("terminated", &LbfEnv::terminated)
        .def_property_readonly("truncated", &LbfEnv::truncated)
        .def_property_readonly("steps", [](const LbfEnv& env) { return env.world().steps(); })
        .def_property_readonly("obs_dim", &LbfEnv::obs_dim)
        .def_property_readonly("state_dim",
                               [](const LbfEnv& env) { return env.world().state_dim(); })
        .def_property_readonly("obs_scale",
                               [](const LbfEnv& env) {
                                   return observation_scale(env.world().rules(),
                                                            env.view().features);
                               })
        .def_property_readonly("state_scale",
                               [](const LbfEnv& env) { return state_scale(env.world().rules()); })
        .def_property_readonly("storage", [](const LbfEnv& env) {
            return storage_name(storage_of(env.world().rules()));
        });
}

void bind_batch(py::module_& module) {
    py::class_<Batch>(module, "LbfBatch")
        .def(py::init<const LbfEnv&, std::int64_t>(), py::arg("env"), py::arg("count"))
        .def(
            "seed", [](Batch& batch, std::uint64_t seed) { batch.worlds.seed(seed); },
            py::arg("seed"))
        .def(
            "reset",
            [](Batch& batch, const py::array& obs, const py::array& avail,
               const py::object& state) {
                const LbfBatchOut out = BatchArrays(batch.worlds).shown(obs, avail, state);
                const InUse::Lock lock(batch.in_use, "this batch of environments");
                py::gil_scoped_release release_gil;
                batch.worlds.reset(out);
            },
            py::arg("obs"), py::arg("avail"), py::arg("state"))
        .def(
            "step",
            [](Batch& batch, const py::array& actions, const py::array& obs, const py::array& avail,
               const py::object& state, const py::array& rewards, const py::array& terminated,
               const py::array& truncated) {
                const BatchArrays arrays(batch.worlds);
                LbfBatchOut out = arrays.shown(obs, avail, state);
                out.rewards = data_of<double>("rewards", rewards, arrays.rewards());
                out.terminated = data_of<bool>("terminated", terminated, {batch.worlds.size()});
                out.truncated = data_of<bool>("truncated", truncated, {batch.worlds.size()});
                const auto taken = actions_of(actions, arrays.actions());
                const InUse::Lock lock(batch.in_use, "this batch of environments");
                py::gil_scoped_release release_gil;
                batch.worlds.step(taken.data(), out);
            },
            py::arg("actions"), py::arg("obs"), py::arg("avail"), py::arg("state"),
            py::arg("rewards"), py::arg("terminated"), py::arg("truncated"));
}

}  // namespace

void bind_lbf(py::module_& module) {
    bind_rules(module);
    bind_env(module);
    bind_batch(module);
}

}  // namespace pyqmix
