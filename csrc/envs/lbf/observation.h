// Observations and state of a Level-Based Foraging world: the original's observations, positions
// relative to the player that observes, and factors that bring every number into [-1, 1].
#pragma once

#include <cstdint>
#include <vector>

#include "envs/lbf/world.h"

namespace pyqmix {

// How a player sees where food and other players are: as the original's rows and columns, as
// distances from itself (0, 0 for what is unseen), or as both, the distances behind the rest.
enum class Positions : std::uint8_t { absolute, relative, both };

class LbfObservation {
   public:
    // Throws std::invalid_argument where the rules want grids, which show no positions, and
    // positions are not absolute or the nearest are first.
    LbfObservation(const LbfRules& rules, Positions positions, bool nearest_first);

    // Numbers that a player sees, O.
    int width() const { return width_; }
    static int state_width(const LbfRules& rules) {
        return 3 * (rules.max_num_food + rules.players());
    }

    // Writes what each player sees, (n, O), `stride` elements from one to the next. Three numbers
    // for each food item, by rows or the nearest first, then each player, oneself first, the others
    // likewise; -1, -1, 0 for what is unseen.
    // With grid_observation (3, 2 sight + 1, 2 sight + 1): levels of players, levels of food, and
    // which cells are free.
    template <typename T>
    void write(const LbfWorld& world, T* out, std::int64_t stride) const;

    // Writes everything, (S): row, column and level of each food item, by rows (-1, -1, 0 for those
    // that are gone), then of each player.
    template <typename T>
    static void write_state(const LbfWorld& world, T* out);

    // Factors that bring each number of an observation (O), or of the state (S), into [-1, 1]: one
    // over the largest coordinate, or level, that the rules allow.
    std::vector<float> scale(const LbfRules& rules) const;
    static std::vector<float> state_scale(const LbfRules& rules);

   private:
    Positions positions_;
    bool nearest_first_;
    bool sees_all_;  // the whole board, from every cell of it
    int width_;
};

}  // namespace pyqmix
