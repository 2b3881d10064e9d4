#include "envs/lbf/game.h"

#include <algorithm>

namespace pyqmix {
namespace {

// The narrowest type that holds all that these rules let anybody see.
Storage storage_of(const LbfRules& rules) {
    const int player_level =
        *std::max_element(rules.max_player_level.begin(), rules.max_player_level.end());
    const int highest =
        std::max({rules.rows - 1, rules.cols - 1, player_level, rules.highest_food_level()});
    if (highest <= 127) return Storage::int8;
    return highest <= 32'767 ? Storage::int16 : Storage::float32;
}

}  // namespace

EpisodeSpec LbfGame::spec() const {
    const LbfRules& rules = world_.rules();
    EpisodeSpec spec;
    spec.n_agents = rules.players();
    spec.n_actions = LbfWorld::kActions;
    spec.obs_dim = observation_.width();
    spec.state_dim = LbfObservation::state_width(rules);
    spec.episode_limit = rules.max_episode_steps;
    spec.obs_storage = spec.state_storage = storage_of(rules);
    return spec;
}

}  // namespace pyqmix
