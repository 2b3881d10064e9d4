// What can be chosen about a Level-Based Foraging world: the options of lbforaging 2.0.0's
// ForagingEnv, under its names, and the task names that stand for some of them.
// Papoudakis et al., arXiv:2006.07869.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace pyqmix {

struct LbfRules {
    static constexpr int kMaxSide = 1'000, kMaxPlayers = 1'000, kMaxLevel = 1'000'000;
    static constexpr double kMaxPenalty = 1e9;
    static constexpr std::int64_t kMaxSeen = 100'000'000;  // numbers that all players see together

    int rows = 8, cols = 8;
    int max_num_food = 3;
    int sight = 8;
    std::vector<int> min_player_level{1, 1}, max_player_level{2, 2};  // one for each player
    std::vector<int> min_food_level{1, 1, 1};                         // one for each food item
    std::optional<std::vector<int>> max_food_level;  // none: the three lowest players' levels added
    bool force_coop = false;                         // every item has its highest level
    bool normalize_reward = true;
    bool grid_observation = false;
    bool observe_agent_levels = true;
    double penalty = 0.0;  // taken from each player of a failed loading
    int max_episode_steps = 50;

    int players() const { return static_cast<int>(min_player_level.size()); }

    // The highest level that a food item can have.
    int highest_food_level() const;

    // Throws std::invalid_argument that names the option, what was expected and what came.
    void validate() const;
};

// Reads Foraging[-grid][-Ks]-RxC-Np-Mf[-coop][-ind][-pen]-v3 and validates what it says: players of
// level 1 or 2, sight K or the whole board, 50 steps, -ind: all food of level 1, -pen: a penalty
// of 0.1. Throws std::invalid_argument.
LbfRules parse_lbf_task(std::string_view name);

}  // namespace pyqmix
