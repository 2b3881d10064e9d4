#include "envs/lbf/world.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>

namespace pyqmix {
namespace {

constexpr int kWall = -1, kAttempts = 1000;

bool are_adjacent(const LbfWorld::Food& food, const LbfWorld::Player& player) {
    return std::abs(food.row - player.row) + std::abs(food.col - player.col) == 1;
}

}  // namespace

LbfWorld::LbfWorld(LbfRules rules) : rules_(std::move(rules)) {
    const int n = rules_.players();
    width_ = rules_.cols + 2;
    field_.assign(static_cast<std::size_t>((rules_.rows + 2) * width_), kWall);
    for (int row = 0; row < rules_.rows; ++row)
        std::fill_n(field_.begin() + cell(row, 0), rules_.cols, 0);
    food_.reserve(rules_.max_num_food);
    players_.resize(n);
    targets_.resize(n);
    order_.resize(std::max(n, rules_.max_num_food));
    taken_.resize(n);
    held_up_.resize(n);
    valid_.resize(n);
    rewards_.resize(n);
}

void LbfWorld::reset() {
    started_ = false;
    for (const Food& food : food_) field_[cell(food.row, food.col)] = 0;
    food_.clear();
    spawn_players();
    spawn_food();
    steps_ = 0;
    find_valid_actions();
    started_ = true;
}

void LbfWorld::step(const std::uint8_t* actions) {
    if (!started_) throw std::logic_error("reset the environment before the first step");
    ++steps_;
    move(actions);
    load();
    find_valid_actions();
}

// Free of players too, also where one stood in the last episode that has no new place yet.
bool LbfWorld::is_free(int row, int col) const {
    return field_[cell(row, col)] == 0 &&
           std::none_of(players_.begin(), players_.end(),
                        [&](const Player& p) { return p.row == row && p.col == col; });
}

bool LbfWorld::has_food_near(int row, int col) const {
    return std::any_of(food_.begin(), food_.end(), [&](const Food& food) {
        const int down = std::abs(food.row - row), across = std::abs(food.col - col);
        return std::max(down, across) <= 1 || (std::min(down, across) == 0 && down + across <= 2);
    });
}

void LbfWorld::spawn_players() {
    const std::span order(order_.data(), players_.size());
    random_.permutation(order);
    for (std::size_t i = 0; i < players_.size(); ++i) {
        Player& player = players_[i];
        rewards_[i] = 0.0;
        for (int attempt = 0; attempt < kAttempts; ++attempt) {
            const auto row = static_cast<int>(random_.integers(0, rules_.rows));
            const auto col = static_cast<int>(random_.integers(0, rules_.cols));
            if (!is_free(row, col)) continue;
            player = {row, col,
                      static_cast<int>(random_.integers(rules_.min_player_level[order[i]],
                                                        rules_.max_player_level[order[i]] + 1))};
            break;
        }
        if (player.row < 0)
            throw std::runtime_error("player " + std::to_string(i) + " found no free cell in " +
                                     std::to_string(kAttempts) + " attempts");
    }
}

void LbfWorld::spawn_food() {
    const std::span order(order_.data(), static_cast<std::size_t>(rules_.max_num_food));
    random_.permutation(order);
    int lowest_players = 0;
    if (!rules_.max_food_level) {
        std::vector<int>& levels = targets_;
        std::transform(players_.begin(), players_.end(), levels.begin(),
                       [](const Player& player) { return player.level; });
        const auto third = levels.begin() + std::min<std::ptrdiff_t>(3, players_.size());
        std::partial_sort(levels.begin(), third, levels.end());
        lowest_players = std::accumulate(levels.begin(), third, 0);
    }
    const auto highest = [&](int k) {
        return rules_.max_food_level ? (*rules_.max_food_level)[order[k]] : lowest_players;
    };
    food_spawned_ = 0;
    int placed = 0;
    for (int attempt = 0; placed < rules_.max_num_food && attempt < kAttempts; ++attempt) {
        const auto row = static_cast<int>(random_.integers(1, rules_.rows - 1));
        const auto col = static_cast<int>(random_.integers(1, rules_.cols - 1));
        if (has_food_near(row, col) || !is_free(row, col)) continue;
        const int high = highest(placed);
        const int low = rules_.force_coop ? high : rules_.min_food_level[order[placed]];
        const auto level = static_cast<int>(random_.integers(low, high + 1));
        ++placed;
        if (level == 0) continue;  // the original's field cannot tell it from none
        field_[cell(row, col)] = level;
        food_.push_back({row, col, level});
        food_spawned_ += level;
    }
    std::sort(food_.begin(), food_.end(), [](const Food& a, const Food& b) {
        return a.row != b.row ? a.row < b.row : a.col < b.col;
    });
}

// Those who alone head for a cell get there; all others stay. Who moves onto a player that in turn
// is held up shares its cell: so does the original.
void LbfWorld::move(const std::uint8_t* actions) {
    static constexpr int kDown[kActions] = {0, -1, 1, 0, 0, 0},
                         kRight[kActions] = {0, 0, 0, -1, 1, 0};
    // Bytes may alias anything: through the members, each store would make the next load wait.
    const std::size_t n = players_.size();
    Player* const players = players_.data();
    std::uint8_t *const taken = taken_.data(), *const held_up = held_up_.data();
    const std::uint8_t* const valid = valid_.data();
    int* const targets = targets_.data();
    const int width = width_;
    for (std::size_t i = 0; i < n; ++i) {
        const unsigned is_valid = valid[i] >> actions[i] & 1u;
        const unsigned action = actions[i] & -is_valid;  // kNone is 0: no branch to guess
        taken[i] = static_cast<std::uint8_t>(action);
        held_up[i] = false;
        targets[i] = (players[i].row + kDown[action]) * width + players[i].col + kRight[action];
    }
    for (std::size_t i = 0; i + 1 < n; ++i)
        for (std::size_t j = i + 1; j < n; ++j) {
            const bool meet = targets[i] == targets[j];
            held_up[i] |= meet;
            held_up[j] |= meet;
        }
    for (std::size_t i = 0; i < n; ++i) {
        const unsigned moved = taken[i] & (unsigned{held_up[i]} - 1u);
        players[i].row += kDown[moved];
        players[i].col += kRight[moved];
    }
}

void LbfWorld::load() {
    std::fill(rewards_.begin(), rewards_.end(), 0.0);
    for (std::size_t i = 0; i < players_.size(); ++i) {
        if (taken_[i] != kLoad) continue;
        const auto food = std::find_if(food_.begin(), food_.end(),
                                       [&](const Food& f) { return are_adjacent(f, players_[i]); });
        // Food items are never neighbours, so no player is adjacent to two, and the order does not
        // matter.
        load_food(static_cast<std::size_t>(food - food_.begin()));
    }
}

void LbfWorld::load_food(std::size_t k) {
    const Food food = food_[k];
    std::int64_t together = 0;
    for (std::size_t i = 0; i < players_.size(); ++i)
        if (taken_[i] == kLoad && are_adjacent(food, players_[i])) together += players_[i].level;
    const bool loaded = together >= food.level;
    for (std::size_t i = 0; i < players_.size(); ++i) {
        if (taken_[i] != kLoad || !are_adjacent(food, players_[i])) continue;
        taken_[i] = kNone;
        if (!loaded) {
            rewards_[i] -= rules_.penalty;
            continue;
        }
        rewards_[i] = static_cast<double>(std::int64_t{players_[i].level} * food.level);
        if (rules_.normalize_reward) rewards_[i] /= static_cast<double>(together * food_spawned_);
    }
    if (!loaded) return;
    field_[cell(food.row, food.col)] = 0;
    food_.erase(food_.begin() + static_cast<std::ptrdiff_t>(k));
}

void LbfWorld::find_valid_actions() {
    const std::size_t n = players_.size();
    const Player* const players = players_.data();
    const int* const field = field_.data();
    std::uint8_t* const valid = valid_.data();
    const int width = width_;
    for (std::size_t i = 0; i < n; ++i) {
        const int* here = field + cell(players[i].row, players[i].col);
        const int north = here[-width], south = here[width], west = here[-1], east = here[1];
        const bool beside_food = (north > 0) | (south > 0) | (west > 0) | (east > 0);
        valid[i] = static_cast<std::uint8_t>(
            1u << kNone | unsigned{north == 0} << kNorth | unsigned{south == 0} << kSouth |
            unsigned{west == 0} << kWest | unsigned{east == 0} << kEast |
            unsigned{beside_food} << kLoad);
    }
}

}  // namespace pyqmix
