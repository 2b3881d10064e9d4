#include "envs/lbf/observation.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <stdexcept>

namespace pyqmix {
namespace {

constexpr int kFoodWidth = 3;  // row, column, level

int player_width(const LbfRules& rules) { return rules.observe_agent_levels ? 3 : 2; }

// Of an observation without distances: food, then the player itself, then the others.
int plain_width(const LbfRules& rules) {
    const int side = 2 * rules.sight + 1;
    return rules.grid_observation
               ? 3 * side * side
               : kFoodWidth * rules.max_num_food + player_width(rules) * rules.players();
}

// The window's corner, from which rows and columns are counted.
struct Corner {
    int row, col;

    Corner(const LbfWorld::Player& self, int sight)
        : row(std::max(self.row - sight, 0)), col(std::max(self.col - sight, 0)) {}
};

template <typename T>
void write_food(const LbfWorld& world, const LbfWorld::Player& self, T* out) {
    const int sight = world.rules().sight;
    const Corner corner(self, sight);
    int unseen = world.rules().max_num_food;
    for (const LbfWorld::Food& food : world.food()) {
        const int row = food.row - corner.row, col = food.col - corner.col;
        if (row < 0 || col < 0 || food.row > self.row + sight || food.col > self.col + sight)
            continue;
        *out++ = static_cast<T>(row);
        *out++ = static_cast<T>(col);
        *out++ = static_cast<T>(food.level);
        --unseen;
    }
    for (; unseen > 0; --unseen) {
        *out++ = T(-1);
        *out++ = T(-1);
        *out++ = T(0);
    }
}

template <typename T>
void write_players(const LbfWorld& world, int i, T* out) {
    const int sight = world.rules().sight;
    const bool levels = world.rules().observe_agent_levels;
    const std::vector<LbfWorld::Player>& players = world.players();
    const LbfWorld::Player& self = players[i];
    const Corner corner(self, sight);
    const auto write = [&](int row, int col, int level) {
        *out++ = static_cast<T>(row);
        *out++ = static_cast<T>(col);
        if (levels) *out++ = static_cast<T>(level);
    };
    write(self.row - corner.row, self.col - corner.col, self.level);
    int unseen = 0;
    for (int j = 0; j < static_cast<int>(players.size()); ++j) {
        if (j == i) continue;
        // The original sees players as far as 2 sight from the window's corner, beyond the window
        // where the board cuts it.
        const int row = players[j].row - corner.row, col = players[j].col - corner.col;
        if (row < 0 || col < 0 || row > 2 * sight || col > 2 * sight) {
            ++unseen;
            continue;
        }
        write(row, col, players[j].level);
    }
    for (; unseen > 0; --unseen) write(-1, -1, 0);
}

template <typename T>
void write_grid(const LbfWorld& world, const LbfWorld::Player& self, T* out) {
    const LbfRules& rules = world.rules();
    const int sight = rules.sight, side = 2 * sight + 1;
    const int top = self.row - sight, left = self.col - sight;
    T *const agents = out, *const food = agents + side * side, *const access = food + side * side;
    std::fill_n(out, 3 * side * side, T(0));
    const int first = std::max(left, 0), last = std::min(left + side, rules.cols);
    for (int row = std::max(top, 0); row < std::min(top + side, rules.rows); ++row) {
        const int* const levels = world.food_levels(row);
        const int to = (row - top) * side - left;
        for (int col = first; col < last; ++col) {
            food[to + col] = static_cast<T>(levels[col]);
            access[to + col] = T(levels[col] == 0);
        }
    }
    for (const LbfWorld::Player& player : world.players()) {
        const int row = player.row - top, col = player.col - left;
        if (row < 0 || col < 0 || row >= side || col >= side) continue;
        agents[row * side + col] = rules.observe_agent_levels ? static_cast<T>(player.level) : T(1);
        access[row * side + col] = T(0);
    }
}

// Puts those nearest to (row, col) first among `count` food items or players of `width` numbers
// each. Steps to walk count; equally near ones keep their order, and unseen ones stay behind.
template <typename T>
void sort_by_distance(T* items, int count, int width, T row, T col) {
    const auto steps = [&](const T* item) {
        if (item[0] < 0) return std::numeric_limits<int>::max();
        return static_cast<int>(std::abs(item[0] - row) + std::abs(item[1] - col));
    };
    for (int k = 1; k < count; ++k)
        for (T* item = items + k * width; item > items && steps(item) < steps(item - width);
             item -= width)
            std::swap_ranges(item, item + width, item - width);
}

template <typename T>
void put_nearest_first(const LbfRules& rules, T* at) {
    T* const self = at + kFoodWidth * rules.max_num_food;
    const int width = player_width(rules);
    sort_by_distance(at, rules.max_num_food, kFoodWidth, self[0], self[1]);
    sort_by_distance(self + width, rules.players() - 1, width, self[0], self[1]);
}

// Replaces the positions in an observation by distances, or writes the distances behind it.
template <typename T>
void write_distances(const LbfRules& rules, bool replace, T* at) {
    const int self = kFoodWidth * rules.max_num_food, player = player_width(rules);
    const T row = at[self], col = at[self + 1];
    T* behind = at + plain_width(rules);
    const auto write = [&](int offset) {
        const bool seen = at[offset] >= 0;
        T* const to = replace ? at + offset : behind;
        to[0] = seen ? static_cast<T>(at[offset] - row) : T(0);
        to[1] = seen ? static_cast<T>(at[offset + 1] - col) : T(0);
        behind += 2;
    };
    for (int k = 0; k < rules.max_num_food; ++k) write(kFoodWidth * k);
    for (int k = 1; k < rules.players(); ++k) write(self + player * k);
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

LbfObservation::LbfObservation(const LbfRules& rules, Positions positions, bool nearest_first)
    : positions_(positions),
      nearest_first_(nearest_first),
      sees_all_(rules.sight >= std::max(rules.rows, rules.cols) - 1),
      width_(plain_width(rules)) {
    if (rules.grid_observation && positions != Positions::absolute)
        throw std::invalid_argument(
            "positions: expected absolute, because grids show no coordinates");
    if (rules.grid_observation && nearest_first)
        throw std::invalid_argument("nearest_first: expected false, because grids have no order");
    if (positions == Positions::both) width_ += 2 * (rules.max_num_food + rules.players() - 1);
}

template <typename T>
void LbfObservation::write(const LbfWorld& world, T* out, std::int64_t stride) const {
    const LbfRules& rules = world.rules();
    const std::vector<LbfWorld::Player>& players = world.players();
    if (rules.grid_observation) {
        for (const LbfWorld::Player& self : players) {
            write_grid(world, self, out);
            out += stride;
        }
        return;
    }
    const int food_width = kFoodWidth * rules.max_num_food;
    const T* const first = out;
    for (int i = 0; i < static_cast<int>(players.size()); ++i, out += stride) {
        if (sees_all_ && i > 0 && positions_ != Positions::relative && !nearest_first_)
            std::copy_n(first, food_width, out);
        else
            write_food(world, players[i], out);
        write_players(world, i, out + food_width);
        if (nearest_first_) put_nearest_first(rules, out);
        if (positions_ != Positions::absolute)
            write_distances(rules, positions_ == Positions::relative, out);
    }
}

template <typename T>
void LbfObservation::write_state(const LbfWorld& world, T* out) {
    const auto write = [&](int row, int col, int level) {
        *out++ = static_cast<T>(row);
        *out++ = static_cast<T>(col);
        *out++ = static_cast<T>(level);
    };
    for (const LbfWorld::Food& food : world.food()) write(food.row, food.col, food.level);
    for (auto gone = world.food().size();
         gone < static_cast<std::size_t>(world.rules().max_num_food); ++gone)
        write(-1, -1, 0);
    for (const LbfWorld::Player& player : world.players())
        write(player.row, player.col, player.level);
}

std::vector<float> LbfObservation::scale(const LbfRules& rules) const {
    return rules.grid_observation ? grid_scale(rules) : vector_scale(rules, positions_);
}

std::vector<float> LbfObservation::state_scale(const LbfRules& rules) {
    const Factors by(rules, std::max(rules.rows, rules.cols));
    std::vector<float> scale;
    for (int k = 0; k < rules.max_num_food; ++k)
        scale.insert(scale.end(), {by.row, by.col, by.food_level});
    for (int k = 0; k < rules.players(); ++k)
        scale.insert(scale.end(), {by.row, by.col, by.player_level});
    return scale;
}

#define PYQMIX_OBSERVATIONS_OF(T)                                                    \
    template void LbfObservation::write<T>(const LbfWorld&, T*, std::int64_t) const; \
    template void LbfObservation::write_state<T>(const LbfWorld&, T*);
PYQMIX_OBSERVATIONS_OF(std::int8_t)
PYQMIX_OBSERVATIONS_OF(std::uint8_t)
PYQMIX_OBSERVATIONS_OF(std::int16_t)
PYQMIX_OBSERVATIONS_OF(float)

}  // namespace pyqmix
