#include <pybind11/stl.h>

#include <optional>
#include <tuple>

#include "bindings/bindings.h"
#include "bindings/envs/native_env.h"
#include "envs/lbf/game.h"

namespace pyqmix {
namespace {

using LbfEnv = NativeEnvOf<LbfGame>;

Positions positions_named(const std::string& name) {
    if (name == "absolute") return Positions::absolute;
    if (name == "relative") return Positions::relative;
    if (name == "both") return Positions::both;
    throw std::invalid_argument("positions: expected absolute, relative or both, got '" + name +
                                "'");
}

const LbfWorld& world_of(const LbfEnv& env) { return env.world().game().world(); }

std::vector<std::tuple<int, int, int>> food(const LbfEnv& env) {
    std::vector<std::tuple<int, int, int>> out;
    for (const auto& f : world_of(env).food()) out.emplace_back(f.row, f.col, f.level);
    return out;
}

std::vector<std::tuple<int, int, int>> players(const LbfEnv& env) {
    std::vector<std::tuple<int, int, int>> out;
    for (const auto& p : world_of(env).players()) out.emplace_back(p.row, p.col, p.level);
    return out;
}

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
    py::class_<LbfEnv, NativeEnv>(module, "LbfEnv")
        .def(py::init([](const LbfRules& rules, bool truncate_at_limit, bool action_mask,
                         bool global_state, const std::string& team_reward,
                         const std::string& positions, bool nearest_first, bool last_action) {
                 return std::make_unique<LbfEnv>(
                     LbfGame(rules, {action_mask, positions_named(positions), nearest_first}),
                     world_options(truncate_at_limit, global_state, last_action, team_reward));
             }),
             py::arg("rules"), py::kw_only(), py::arg("truncate_at_limit") = false,
             py::arg("action_mask") = true, py::arg("global_state") = false,
             py::arg("team_reward") = "sum", py::arg("positions") = "absolute",
             py::arg("nearest_first") = false, py::arg("last_action") = false)
        // As the original's reset: the random stream goes on, and players avoid their old cells.
        .def(
            "seed", [](LbfEnv& env, std::uint64_t seed) { env.world().game().world().seed(seed); },
            py::arg("seed"))
        .def("reset",
             [](LbfEnv& env) {
                 env.world().forget_actions();
                 env.world().game().world().reset();
             })
        .def_property_readonly("food", &food)
        .def_property_readonly("players", &players)
        .def_property_readonly("steps", [](const LbfEnv& env) { return world_of(env).steps(); });
}

}  // namespace

void bind_lbf(py::module_& module) {
    bind_rules(module);
    bind_env(module);
}

}  // namespace pyqmix
