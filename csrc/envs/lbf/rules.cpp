#include "envs/lbf/rules.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>

namespace pyqmix {
namespace {

[[noreturn]] void refuse(const std::string& option, const std::string& expected,
                         const std::string& got) {
    throw std::invalid_argument(option + ": expected " + expected + ", got " + got);
}

void require(const std::string& option, std::int64_t value, std::int64_t low, std::int64_t high) {
    if (value < low || value > high)
        refuse(option, std::to_string(low) + " to " + std::to_string(high), std::to_string(value));
}

void require_levels(const char* option, const std::vector<int>& levels, int count) {
    if (static_cast<int>(levels.size()) != count)
        refuse(option, std::to_string(count) + " levels", std::to_string(levels.size()));
    for (const int level : levels) require(option, level, 0, LbfRules::kMaxLevel);
}

void require_order(const char* low_name, const std::vector<int>& low, const char* high_name,
                   const std::vector<int>& high) {
    for (std::size_t i = 0; i < low.size(); ++i)
        if (low[i] > high[i])
            refuse(low_name, "at most " + std::string(high_name) + ", " + std::to_string(high[i]),
                   std::to_string(low[i]));
}

int three_lowest(std::vector<int> levels) {
    std::sort(levels.begin(), levels.end());
    levels.resize(std::min<std::size_t>(levels.size(), 3));
    return std::accumulate(levels.begin(), levels.end(), 0);
}

// Reads a name from left to right.
class Scanner {
   public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    bool literal(std::string_view text) {
        if (!rest_.starts_with(text)) return false;
        rest_.remove_prefix(text.size());
        return true;
    }

    // A number without a sign, of at most nine digits.
    bool number(int& value) {
        std::size_t digits = 0;
        value = 0;
        for (; digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9'; ++digits) {
            if (digits == 9) return false;
            value = value * 10 + (rest_[digits] - '0');
        }
        rest_.remove_prefix(digits);
        return digits > 0;
    }

    // "-" number suffix; nothing is read where it does not fit.
    bool part(int& value, std::string_view suffix) {
        const std::string_view before = rest_;
        if (literal("-") && number(value) && literal(suffix)) return true;
        rest_ = before;
        return false;
    }

    bool at_end() const { return rest_.empty(); }

   private:
    std::string_view rest_;
};

}  // namespace

int LbfRules::highest_food_level() const {
    if (!max_food_level) return three_lowest(max_player_level);
    return *std::max_element(max_food_level->begin(), max_food_level->end());
}

void LbfRules::validate() const {
    require("players", players(), 1, kMaxPlayers);
    require("field_size", std::min(rows, cols), 3, kMaxSide);
    require("field_size", std::max(rows, cols), 3, kMaxSide);
    require("max_num_food", max_num_food, 1, std::int64_t{rows} * cols);
    require("sight", sight, grid_observation ? 1 : 0, kMaxSide);
    require("max_episode_steps", max_episode_steps, 1, 2'147'483'647);
    require_levels("min_player_level", min_player_level, players());
    require_levels("max_player_level", max_player_level, players());
    require_order("min_player_level", min_player_level, "max_player_level", max_player_level);
    require_levels("min_food_level", min_food_level, max_num_food);
    if (max_food_level) {
        require_levels("max_food_level", *max_food_level, max_num_food);
        require_order("min_food_level", min_food_level, "max_food_level", *max_food_level);
    } else if (!force_coop) {
        const int lowest = three_lowest(min_player_level);
        for (const int level : min_food_level)
            if (level > lowest)
                refuse(
                    "min_food_level",
                    "at most " + std::to_string(lowest) +
                        ", the lowest levels of three players added, where max_food_level is none",
                    std::to_string(level));
    }
    if (!(std::abs(penalty) <= kMaxPenalty)) {
        std::ostringstream got;
        got << penalty;
        refuse("penalty", "a number from -1e9 to 1e9", got.str());
    }
    const std::int64_t side = 2 * std::int64_t{sight} + 1;
    const std::int64_t seen = grid_observation
                                  ? 3 * side * side
                                  : 3 * (std::int64_t{max_num_food} + std::int64_t{players()});
    if (players() * seen > kMaxSeen)
        throw std::invalid_argument("players: " + std::to_string(players()) + " that see " +
                                    std::to_string(seen) + " numbers each are more than " +
                                    std::to_string(kMaxSeen));
    if (players() + max_num_food > rows * cols)
        throw std::invalid_argument("a board of " + std::to_string(rows) + "x" +
                                    std::to_string(cols) + " = " + std::to_string(rows * cols) +
                                    " cells cannot hold " + std::to_string(players()) +
                                    " players and " + std::to_string(max_num_food) + " food items");
}

LbfRules parse_lbf_task(std::string_view name) {
    Scanner scan(name);
    LbfRules rules;
    int players = 0, sight = 0;
    bool fits = scan.literal("Foraging");
    rules.grid_observation = scan.literal("-grid");
    const bool has_sight = scan.part(sight, "s");
    fits = fits && scan.part(rules.rows, "x") && scan.number(rules.cols) &&
           scan.part(players, "p") && scan.part(rules.max_num_food, "f");
    rules.force_coop = scan.literal("-coop");
    const bool food_of_level_one = scan.literal("-ind");
    rules.penalty = scan.literal("-pen") ? 0.1 : 0.0;
    if (!fits || !scan.literal("-v3") || !scan.at_end())
        refuse("task", "Foraging[-grid][-Ks]-RxC-Np-Mf[-coop][-ind][-pen]-v3",
               std::string(1, '\'').append(name).append(1, '\''));
    // Before anything is sized by them.
    require("players", players, 1, LbfRules::kMaxPlayers);
    require("max_num_food", rules.max_num_food, 1,
            std::int64_t{LbfRules::kMaxSide} * LbfRules::kMaxSide);
    rules.sight = has_sight ? sight : std::max(rules.rows, rules.cols);
    if (has_sight) require("sight", sight, 1, LbfRules::kMaxSide);
    rules.min_player_level.assign(players, 1);
    rules.max_player_level.assign(players, 2);
    rules.min_food_level.assign(rules.max_num_food, 1);
    if (food_of_level_one) rules.max_food_level.emplace(rules.max_num_food, 1);
    rules.validate();
    return rules;
}

}  // namespace pyqmix
