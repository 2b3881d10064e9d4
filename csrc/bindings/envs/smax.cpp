#include <pybind11/stl.h>

#include <algorithm>
#include <utility>

#include "bindings/bindings.h"
#include "bindings/envs/native_env.h"
#include "envs/smax/game.h"

namespace pyqmix {
namespace {

using Key = std::pair<std::uint32_t, std::uint32_t>;

threefry::Key key_of(const Key& words) { return {words.first, words.second}; }

template <typename To, typename From>
py::array_t<To> first_of(const From& from, int count) {
    auto out = new_array<To>({count});
    std::copy_n(from.begin(), count, out.mutable_data());
    return out;
}

class SmaxEnv final : public NativeEnvOf<SmaxGame> {
   public:
    using NativeEnvOf::NativeEnvOf;

    SmaxGame& game() { return world().game(); }
    const SmaxGame& game() const { return world().game(); }

    py::dict units() const {
        const Units& units = game().units();
        auto positions = new_array<float>({units.count, 2});
        auto default_targets = new_array<float>({units.enemies(), 2});
        auto targets = new_array<std::int32_t>({units.enemies()});
        for (int i = 0; i < units.count; ++i) {
            const auto k = static_cast<std::size_t>(i);
            positions.mutable_at(i, 0) = units.x[k];
            positions.mutable_at(i, 1) = units.y[k];
            if (units.is_ally(i)) continue;
            const HeuristicTeam::Memory& memory = game().enemy().units[k];
            targets.mutable_at(i - units.allies) = memory.target;
            default_targets.mutable_at(i - units.allies, 0) = memory.x;
            default_targets.mutable_at(i - units.allies, 1) = memory.y;
        }
        py::dict out;
        out["positions"] = positions;
        out["health"] = first_of<float>(units.health, units.count);
        out["types"] = first_of<std::uint8_t>(units.type, units.count);
        out["cooldowns"] = first_of<float>(units.cooldown, units.count);
        out["actions"] = first_of<std::uint8_t>(units.action, units.count);
        out["targets"] = targets;
        out["default_targets"] = default_targets;
        return out;
    }

    void set_units(const py::dict& given) {
        Units units = game().units();
        HeuristicTeam enemy = game().enemy();
        const std::int64_t n = units.count, m = units.enemies();
        const float* positions = read<float>(given, "positions", {n, 2});
        const float* health = read<float>(given, "health", {n});
        const float* cooldowns = read<float>(given, "cooldowns", {n});
        const auto* types = read<std::uint8_t>(given, "types", {n});
        const auto* actions = read<std::uint8_t>(given, "actions", {n});
        const auto* targets = read<std::int32_t>(given, "targets", {m});
        const float* default_targets = read<float>(given, "default_targets", {m, 2});
        units.alive = 0;
        for (int i = 0; i < units.count; ++i) {
            const auto k = static_cast<std::size_t>(i);
            units.type[k] = require_below("types", types[i], kUnitTypes);
            units.action[k] = require_below("actions", actions[i], units.actions_of(i));
            units.radius[k] = units.of(i).radius;
            units.x[k] = require_number("positions", positions[2 * i]);
            units.y[k] = require_number("positions", positions[2 * i + 1]);
            units.health[k] = require_number("health", health[i], 0.0f, units.of(i).health);
            units.cooldown[k] = require_number("cooldowns", cooldowns[i]);
            if (health[i] > 0.0f) units.alive |= only_unit(i);
        }
        for (int e = 0; e < units.enemies(); ++e) {
            if (targets[e] < -1 || targets[e] >= units.allies)
                throw std::invalid_argument("targets: expected -1 to " +
                                            std::to_string(units.allies - 1) + ", got " +
                                            std::to_string(targets[e]));
            enemy.units[static_cast<std::size_t>(units.allies + e)] = {
                targets[e], default_targets[2 * e], default_targets[2 * e + 1]};
        }
        game().force(units, enemy);
        if (game().steps() == 0)
            world().forget_actions();
        else
            world().remember_actions(units.action.data());
    }

    py::array_t<std::int64_t> heuristic_actions(const Key& key) {
        std::array<std::uint8_t, Units::kMost> actions{};
        game().heuristic_actions(key_of(key), actions.data());
        return first_of<std::int64_t>(actions, game().units().allies);
    }

   private:
    template <typename T>
    static const T* read(const py::dict& given, const char* name,
                         const std::vector<std::int64_t>& shape) {
        if (!given.contains(name))
            throw std::invalid_argument(std::string("units: expected an entry ") + name);
        return data_of<T>(name, given[name].cast<py::array>(), shape);
    }
    static std::uint8_t require_below(const char* name, int value, int bound) {
        if (value >= bound)
            throw std::invalid_argument(std::string(name) + ": expected 0 to " +
                                        std::to_string(bound - 1) + ", got " +
                                        std::to_string(value));
        return static_cast<std::uint8_t>(value);
    }
    static float require_number(const char* name, float value, float low = -kLargest,
                                float high = kLargest) {
        if (!(value >= low && value <= high))
            throw std::invalid_argument(std::string(name) + ": expected " + std::to_string(low) +
                                        " to " + std::to_string(high) + ", got " +
                                        std::to_string(value));
        return value;
    }

    static constexpr float kLargest = 1e6f;  // far outside every battle
};

}  // namespace

void bind_smax(py::module_& module) {
    module.def("smax_scenarios", &smax_scenarios);
    py::class_<SmaxEnv, NativeEnv>(module, "SmaxEnv")
        .def(py::init([](const std::string& scenario, int episode_limit, bool truncate_at_limit,
                         bool global_state, bool last_action) {
                 return std::make_unique<SmaxEnv>(
                     SmaxGame(smax_scenario(scenario), episode_limit),
                     world_options(truncate_at_limit, global_state, last_action, "sum"));
             }),
             py::arg("scenario"), py::kw_only(), py::arg("episode_limit") = 101,
             py::arg("truncate_at_limit") = false, py::arg("global_state") = true,
             py::arg("last_action") = false)
        .def(
            "reset",
            [](SmaxEnv& env, const Key& key) {
                env.world().forget_actions();
                env.game().reset(key_of(key));
            },
            py::arg("key"))
        .def(
            "step_with",
            [](SmaxEnv& env, const Key& key, const py::array& actions) {
                const auto taken = checked_actions(env.spec(), actions, {env.spec().n_agents});
                env.game().step_with(key_of(key), taken.data());
                env.world().remember_actions(taken.data());
            },
            py::arg("key"), py::arg("actions"))
        .def("heuristic_actions", &SmaxEnv::heuristic_actions, py::arg("key"))
        .def("units", &SmaxEnv::units)
        .def("set_units", &SmaxEnv::set_units, py::arg("units"))
        .def_property_readonly("steps", [](const SmaxEnv& env) { return env.game().steps(); })
        .def_property_readonly("n_allies",
                               [](const SmaxEnv& env) { return env.game().units().allies; })
        .def_property_readonly("n_enemies",
                               [](const SmaxEnv& env) { return env.game().units().enemies(); })
        .def_property_readonly("n_units",
                               [](const SmaxEnv& env) { return env.game().units().count; });
}

}  // namespace pyqmix
