#include "envs/lbf/lbf_features.h"

#include <algorithm>
#include <cstddef>

namespace pyqmix {
namespace {

constexpr int kFoodWidth = 3;  // row, column, level

int player_width(const LbfRules& rules) { return rules.observe_agent_levels ? 3 : 2; }

// Of one observation: what is seen of food, then of the agent itself, then of the others.
struct Layout {
    int food, others, player_width, self, width;

    explicit Layout(const LbfRules& rules)
        : food(rules.max_num_food),
          others(rules.players() - 1),
          player_width(pyqmix::player_width(rules)),
          self(kFoodWidth * food),
          width(self + player_width * (1 + others)) {}

    // Calls visit(offset) for the row and column of each food item and each other player.
    template <typename Visit>
    void for_positions(const Visit& visit) const {
        for (int k = 0; k < food; ++k) visit(kFoodWidth * k);
        for (int k = 1; k <= others; ++k) visit(self + player_width * k);
    }
};

// Replaces positions by distances in the observation `at`, or writes the distances behind it.
template <typename T>
void show_distances(const Layout& layout, bool replace, T* at) {
    const T row = at[layout.self], col = at[layout.self + 1];
    T* behind = at + layout.width;
    layout.for_positions([&](int offset) {
        const bool seen = at[offset] >= 0;
        T* const to = replace ? at + offset : behind;
        to[0] = seen ? static_cast<T>(at[offset] - row) : T(0);
        to[1] = seen ? static_cast<T>(at[offset + 1] - col) : T(0);
        behind += 2;
    });
}

float factor(int largest) { return 1.0f / static_cast<float>(std::max(1, largest)); }

struct Factors {
    float row, col, food_level, player_level;

    // Coordinates reach from the corner of what is seen as far as twice the sight.
    Factors(const LbfRules& rules, int reach)
        : row(factor(std::min(reach, rules.rows - 1))),
          col(factor(std::min(reach, rules.cols - 1))),
          food_level(factor(rules.highest_food_level())),
          player_level(factor(
              *std::max_element(rules.max_player_level.begin(), rules.max_player_level.end()))) {}
};

Factors observed_factors(const LbfRules& rules) {
    return Factors(rules, 2 * std::min(rules.sight, std::max(rules.rows, rules.cols)));
}

std::vector<float> grid_scale(const LbfRules& rules) {
    const Factors by = observed_factors(rules);
    const int cells = (2 * rules.sight + 1) * (2 * rules.sight + 1);
    std::vector<float> scale(cells, rules.observe_agent_levels ? by.player_level : 1.0f);
    scale.insert(scale.end(), cells, by.food_level);
    scale.insert(scale.end(), cells, 1.0f);
    return scale;
}

std::vector<float> vector_scale(const LbfRules& rules, Positions positions) {
    const Factors by = observed_factors(rules);
    std::vector<float> scale;
    for (int k = 0; k < rules.max_num_food; ++k)
        scale.insert(scale.end(), {by.row, by.col, by.food_level});
    for (int k = 0; k < rules.players(); ++k) {
        scale.insert(scale.end(), {by.row, by.col});
        if (rules.observe_agent_levels) scale.push_back(by.player_level);
    }
    if (positions == Positions::both)
        for (int k = 1; k < rules.max_num_food + rules.players(); ++k)
            scale.insert(scale.end(), {by.row, by.col});
    return scale;
}

}  // namespace

int observation_width(const LbfWorld& world, const Features& features) {
    const LbfRules& rules = world.rules();
    const int distances = 2 * (rules.max_num_food + rules.players() - 1);
    return world.obs_dim() + (features.positions == Positions::both ? distances : 0) +
           (features.last_action ? LbfWorld::kActions : 0);
}

template <typename T>
void observe(const LbfWorld& world, const Features& features, const std::uint8_t* last_actions,
             T* out) {
    world.observe(out);
    const int width = observation_width(world, features), original = world.obs_dim();
    const bool replace = features.positions == Positions::relative;
    if (width == original && !replace) return;
    const Layout layout(world.rules());
    for (int i = world.rules().players() - 1; i >= 0; --i) {  // wider rows: the last moves first
        const T* const from = out + std::ptrdiff_t{i} * original;
        T* const to = out + std::ptrdiff_t{i} * width;
        if (to != from) std::copy_backward(from, from + original, to + original);
        if (features.positions != Positions::absolute) show_distances(layout, replace, to);
        if (features.last_action)
            for (int action = 0; action < LbfWorld::kActions; ++action)
                to[width - LbfWorld::kActions + action] = T(last_actions[i] == action);
    }
}

std::vector<float> observation_scale(const LbfRules& rules, const Features& features) {
    std::vector<float> scale =
        rules.grid_observation ? grid_scale(rules) : vector_scale(rules, features.positions);
    if (features.last_action) scale.insert(scale.end(), LbfWorld::kActions, 1.0f);
    return scale;
}

std::vector<float> state_scale(const LbfRules& rules) {
    const Factors by(rules, std::max(rules.rows, rules.cols));
    std::vector<float> scale;
    for (int k = 0; k < rules.max_num_food; ++k)
        scale.insert(scale.end(), {by.row, by.col, by.food_level});
    for (int k = 0; k < rules.players(); ++k)
        scale.insert(scale.end(), {by.row, by.col, by.player_level});
    return scale;
}

#define PYQMIX_FEATURES_OF(T) \
    template void observe<T>(const LbfWorld&, const Features&, const std::uint8_t*, T*);
PYQMIX_FEATURES_OF(std::int8_t)
PYQMIX_FEATURES_OF(std::int16_t)
PYQMIX_FEATURES_OF(float)

}  // namespace pyqmix
