#include "envs/smax/scenario.h"

#include <stdexcept>
#include <utility>

namespace pyqmix {
namespace {

enum Type : std::uint8_t { kMarine, kMarauder, kStalker, kZealot, kZergling, kHydralisk };

using Army = std::vector<std::pair<int, Type>>;  // counts of units of one type

SmaxScenario battle(std::string name, const Army& allies, const Army& enemies) {
    SmaxScenario scenario;
    scenario.name = std::move(name);
    const auto add = [&](const Army& army) {
        for (const auto& [count, type] : army)
            scenario.types.insert(scenario.types.end(), static_cast<std::size_t>(count), type);
    };
    add(allies);
    scenario.allies = scenario.units();
    add(enemies);
    return scenario;
}

SmaxScenario random_battle(std::string name, int units) {
    SmaxScenario scenario = battle(std::move(name), {{units, kMarine}}, {{units, kMarine}});
    scenario.random = true;
    return scenario;
}

const std::vector<SmaxScenario>& scenarios() {
    const auto mirrored = [](std::string name, const Army& army) {
        return battle(std::move(name), army, army);
    };
    static const std::vector<SmaxScenario> all{
        mirrored("3m", {{3, kMarine}}),
        mirrored("8m", {{8, kMarine}}),
        mirrored("25m", {{25, kMarine}}),
        mirrored("2s3z", {{2, kStalker}, {3, kZealot}}),
        mirrored("3s5z", {{3, kStalker}, {5, kZealot}}),
        battle("3s_vs_5z", {{3, kStalker}}, {{5, kZealot}}),
        battle("6h_vs_8z", {{6, kHydralisk}}, {{8, kZealot}}),
        battle("5m_vs_6m", {{5, kMarine}}, {{6, kMarine}}),
        battle("10m_vs_11m", {{10, kMarine}}, {{11, kMarine}}),
        battle("27m_vs_30m", {{27, kMarine}}, {{30, kMarine}}),
        battle("3s5z_vs_3s6z", {{3, kStalker}, {5, kZealot}}, {{3, kStalker}, {6, kZealot}}),
        random_battle("smacv2_5_units", 5),
        random_battle("smacv2_10_units", 10),
        random_battle("smacv2_20_units", 20),
    };
    return all;
}

}  // namespace

const SmaxScenario& smax_scenario(const std::string& name) {
    std::string known;
    for (const SmaxScenario& scenario : scenarios()) {
        if (scenario.name == name) return scenario;
        known += (known.empty() ? "" : ", ") + scenario.name;
    }
    throw std::invalid_argument("task: expected a map of SMAX (" + known + "), got '" + name + "'");
}

std::vector<std::string> smax_scenarios() {
    std::vector<std::string> names;
    for (const SmaxScenario& scenario : scenarios()) names.push_back(scenario.name);
    return names;
}

}  // namespace pyqmix
