// One world of Level-Based Foraging: bit for bit what lbforaging 2.0.0 does, its oddities included.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "envs/lbf/rules.h"
#include "envs/numpy_random.h"

namespace pyqmix {

class LbfWorld {
   public:
    enum Action : std::uint8_t { kNone, kNorth, kSouth, kWest, kEast, kLoad };
    static constexpr int kActions = 6;
    static constexpr std::uint8_t kAllActions = (1u << kActions) - 1;

    struct Food {
        int row, col, level;
    };
    struct Player {
        int row = -1, col = -1, level = 0;  // row -1: never placed
    };

    // The rules must be valid.
    explicit LbfWorld(LbfRules rules);

    const LbfRules& rules() const { return rules_; }

    // What reset(seed=...) does before it resets.
    void seed(std::uint64_t seed) { random_ = numpy::Generator(numpy::SeedSequence(seed)); }

    // Forgets where the players stood: spawning avoids those cells, so that an episode of the
    // original depends on the one before it.
    void forget() {
        players_.assign(players_.size(), Player{});
        started_ = false;
    }

    // Places players, then food. Throws std::runtime_error if a player finds no free cell.
    void reset();
    // Whether a reset has succeeded since the world was made or forgot: only then may it step.
    bool started() const { return started_; }

    // One action for each player, each below kActions; one that is not valid does nothing. Throws
    // std::logic_error unless started.
    void step(const std::uint8_t* actions);

    // Bit a says whether player i's action a is valid.
    std::uint8_t valid_actions(int i) const { return valid_[i]; }
    std::span<const double> rewards() const { return rewards_; }
    bool has_food() const { return !food_.empty(); }
    bool at_step_limit() const { return rules_.max_episode_steps <= steps_; }
    int steps() const { return steps_; }
    const std::vector<Food>& food() const { return food_; }  // by rows
    const std::vector<Player>& players() const { return players_; }

    // The levels of food in a row of the board, 0 where there is none.
    const int* food_levels(int row) const { return &field_[cell(row, 0)]; }

   private:
    int cell(int row, int col) const { return (row + 1) * width_ + col + 1; }
    bool is_free(int row, int col) const;
    bool has_food_near(int row, int col) const;
    void spawn_players();
    void spawn_food();
    void move(const std::uint8_t* actions);
    void load();
    void load_food(std::size_t food);
    void find_valid_actions();

    LbfRules rules_;
    int width_;  // of a row of the field
    numpy::Generator random_;
    std::vector<int> field_;  // food levels, with a wall around the board
    std::vector<Food> food_;
    std::vector<Player> players_;
    std::vector<int> targets_, order_;
    std::vector<std::uint8_t> taken_, held_up_, valid_;
    std::vector<double> rewards_;
    std::int64_t food_spawned_ = 0;
    int steps_ = 0;
    bool started_ = false;
};

}  // namespace pyqmix
