#include "envs/smax/game.h"

#include <algorithm>
#include <cmath>

#include "base/simd_dispatch.h"
#include "envs/smax/placement.h"

namespace pyqmix {

constexpr float kStepSeconds = kTicksPerStep * kTickSeconds;

SmaxGame::SmaxGame(const SmaxScenario& scenario, int most_steps)
    : scenario_(scenario), most_steps_(most_steps) {
    if (most_steps < 1)
        throw std::invalid_argument("episode_limit: expected 1 or more steps, got " +
                                    std::to_string(most_steps));
    units_.allies = scenario.allies;
    units_.count = scenario.units();
}

EpisodeSpec SmaxGame::spec() const {
    EpisodeSpec spec;
    spec.n_agents = scenario_.allies;
    spec.n_actions = kFirstAttack + scenario_.enemies();
    spec.obs_dim = obs_dim_of(scenario_.units());
    spec.state_dim = state_dim_of(scenario_.units());
    spec.episode_limit = most_steps_;
    return spec;
}

void SmaxGame::start(std::uint64_t seed) {
    const threefry::Key key{static_cast<std::uint32_t>(seed >> 32),
                            static_cast<std::uint32_t>(seed)};
    reset(threefry::split(key, 1));
    key_ = threefry::split(key, 0);
}

void SmaxGame::step(const std::uint8_t* actions) {
    const threefry::Key of_step = threefry::split(key_, 1);
    key_ = threefry::split(key_, 0);
    step_with(threefry::split(of_step, 0), actions);
}

void SmaxGame::reset(threefry::Key key) {
    units_ = placed_units(scenario_, threefry::split(key, 1));
    enemy_ = {};
    allied_ = {};
    reward_ = 0.0;
    steps_ = 0;
    started_ = true;
    PYQMIX_AT_SIMD_LEVEL(push_apart, units_);
    find_available();
}

void SmaxGame::step_with(threefry::Key key, const std::uint8_t* actions) {
    if (!started_) throw std::logic_error("reset the environment before the first step");
    const auto health = units_.health;
    PYQMIX_AT_SIMD_LEVEL(command, enemy_, units_, false, threefry::split(key, 1));
    std::copy_n(actions, units_.allies, units_.action.begin());
    PYQMIX_AT_SIMD_LEVEL(fight, units_, threefry::split(key, 0));
    ++steps_;
    reward_ = reward_since(health);
    find_available();
}

void SmaxGame::force(const Units& units, const HeuristicTeam& enemy) {
    units_ = units;
    enemy_ = enemy;
    allied_ = {};
    reward_ = 0.0;
    started_ = true;
    find_available();
}

double SmaxGame::reward_since(const std::array<float, Units::kMost>& before) const {
    float sum = 0.0f;
    for (int i = units_.allies; i < units_.count; ++i) {
        const auto k = static_cast<std::size_t>(i);
        sum += (units_.health[k] - before[k]) / units_.of(i).health;
    }
    const float share = std::abs(sum) * (1.0f / static_cast<float>(units_.enemies()));
    return static_cast<double>(share + (won() ? 1.0f : 0.0f));
}

void SmaxGame::find_available() {
    for (int i = 0; i < units_.allies; ++i) {
        ActionMask& available = available_[static_cast<std::size_t>(i)];
        available = ActionMask{1} << kStop;
        if (!(units_.alive >> i & 1)) continue;
        const UnitSet targets = PYQMIX_AT_SIMD_LEVEL(in_attack_range, units_, i);
        available |= first_units(kMoves) | targets >> units_.allies << kFirstAttack;
    }
}

std::vector<float> SmaxGame::obs_scale() const {
    return std::vector<float>(static_cast<std::size_t>(spec().obs_dim), 1.0f);
}

// A cooldown falls in every tick, whether the weapon is ready or not.
std::vector<float> SmaxGame::state_scale() const {
    const auto units = static_cast<std::size_t>(scenario_.units());
    std::vector<float> scale(kStateFeatures * units, 1.0f);
    const float lowest_cooldown = static_cast<float>(most_steps_) * kStepSeconds;
    for (std::size_t i = 0; i < units; ++i) {
        float* const unit = &scale[i * kOwnFeatures];
        unit[1] = unit[2] = 1.0f / kMapSize;
        unit[3] = 1.0f / std::max(lowest_cooldown, 2.0f);
        scale[(kOwnFeatures + 1) * units + i] = 1.0f / (kUnitTypes - 1);
    }
    return scale;
}

void SmaxGame::heuristic_actions(threefry::Key key, std::uint8_t* out) {
    Units units = units_;
    std::fill_n(units.action.begin(), units.allies, std::uint8_t{kStop});
    PYQMIX_AT_SIMD_LEVEL(command, allied_, units, true, key);
    std::copy_n(units.action.begin(), units.allies, out);
}

}  // namespace pyqmix
