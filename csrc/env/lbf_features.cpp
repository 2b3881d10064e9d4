#include "env/lbf_features.h"

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

}  // namespace

int observation_width(const LbfRules& rules, int absolute_width, Positions positions) {
    const int distances = 2 * (rules.max_num_food + rules.players() - 1);
    return absolute_width + (positions == Positions::both ? distances : 0);
}

template <typename T>
void observe(const LbfWorld& world, Positions positions, T* out) {
    world.observe(out);
    if (positions == Positions::absolute) return;
    const LbfRules& rules = world.rules();
    const Layout layout(rules);
    const bool replace = positions == Positions::relative;
    const int width = observation_width(rules, layout.width, positions);
    for (int i = rules.players() - 1; i >= 0; --i) {  // wider rows: the last moves first
        T* const to = out + std::ptrdiff_t{i} * width;
        if (!replace)
            std::copy_backward(out + std::ptrdiff_t{i} * layout.width,
                               out + std::ptrdiff_t{i + 1} * layout.width, to + layout.width);
        show_distances(layout, replace, to);
    }
}

std::vector<float> observation_scale(const LbfRules& rules, Positions positions) {
    const int sight = std::min(rules.sight, std::max(rules.rows, rules.cols));
    const Factors by(rules, 2 * sight);
    std::vector<float> scale;
    if (rules.grid_observation) {
        const int cells = (2 * rules.sight + 1) * (2 * rules.sight + 1);
        const float level = rules.observe_agent_levels ? by.player_level : 1.0f;
        scale.insert(scale.end(), cells, level);
        scale.insert(scale.end(), cells, by.food_level);
        scale.insert(scale.end(), cells, 1.0f);
        return scale;
    }
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

std::vector<float> state_scale(const LbfRules& rules) {
    const Factors by(rules, std::max(rules.rows, rules.cols));
    std::vector<float> scale;
    for (int k = 0; k < rules.max_num_food; ++k)
        scale.insert(scale.end(), {by.row, by.col, by.food_level});
    for (int k = 0; k < rules.players(); ++k)
        scale.insert(scale.end(), {by.row, by.col, by.player_level});
    return scale;
}

#define PYQMIX_FEATURES_OF(T) template void observe<T>(const LbfWorld&, Positions, T*);
PYQMIX_FEATURES_OF(std::int8_t)
PYQMIX_FEATURES_OF(std::int16_t)
PYQMIX_FEATURES_OF(float)

}  // namespace pyqmix
