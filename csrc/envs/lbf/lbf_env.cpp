#include "envs/lbf/lbf_env.h"

#include <algorithm>
#include <stdexcept>

namespace pyqmix {
namespace {

// Calls visit with out as a pointer to the storage type.
template <typename Visit>
void as_stored(Storage type, std::byte* out, const Visit& visit) {
    switch (type) {
        case Storage::int8:
            return visit(reinterpret_cast<std::int8_t*>(out));
        case Storage::int16:
            return visit(reinterpret_cast<std::int16_t*>(out));
        default:
            return visit(reinterpret_cast<float*>(out));
    }
}

}  // namespace

Storage storage_of(const LbfRules& rules) {
    const int player_level =
        *std::max_element(rules.max_player_level.begin(), rules.max_player_level.end());
    const int highest =
        std::max({rules.rows - 1, rules.cols - 1, player_level, rules.highest_food_level()});
    if (highest <= 127) return Storage::int8;
    return highest <= 32'767 ? Storage::int16 : Storage::float32;
}

LbfEnv::LbfEnv(const LbfRules& rules, const LbfView& view)
    : world_(rules),
      view_(view),
      last_actions_(static_cast<std::size_t>(rules.players()), kNoLastAction) {
    if (rules.grid_observation && view.features.positions != Positions::absolute)
        throw std::invalid_argument(
            "positions: expected absolute, because grids show no coordinates");
}

EpisodeSpec LbfEnv::spec() const {
    EpisodeSpec spec;
    spec.n_agents = world_.rules().players();
    spec.n_actions = LbfWorld::kActions;
    spec.obs_dim = obs_dim();
    spec.state_dim = view_.global_state ? world_.state_dim() : 0;
    spec.episode_limit = world_.rules().max_episode_steps;
    spec.obs_storage = storage_of(world_.rules());
    if (view_.global_state) spec.state_storage = spec.obs_storage;
    return spec;
}

void LbfEnv::observe(Storage type, std::byte* out) const {
    as_stored(type, out, [&](auto* to) { observe(to); });
}

void LbfEnv::state(Storage type, std::byte* out) const {
    as_stored(type, out, [&](auto* to) { world_.state(to); });
}

}  // namespace pyqmix
