// Draws slots in proportion to the priorities of their episodes: proportional prioritisation with
// stratified draws, Schaul et al., arXiv:1511.05952, section 3.3, over whole episodes.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "replay/slot_control.h"
#include "replay/sum_tree.h"

namespace pyqmix {

// An episode: its slot, and which of those that lay there.
struct Place {
    std::int64_t slot = 0, generation = 0;
};

// Belongs to one sampler, one thread at a time. An episode's priority is that of its last error, or
// the largest that any error has had while it has none. It goes with the episode, which the slot's
// generation tells from the one that overwrites it.
class PrioritisedDraw {
   public:
    // Episodes are drawn with probabilities proportional to priority ** alpha.
    PrioritisedDraw(std::int64_t capacity, double alpha, std::uint64_t seed);

    // Pins `batch` slots, drawn with replacement, and appends them to `slots`. None if no episode
    // could be had. Depends on the seed, the draws and errors before, and what the ring holds.
    void draw(SlotControl& control, int sampler, std::int64_t batch,
              std::vector<std::int64_t>& slots);

    // What the last draw() gave, and the probability that each had of being a given draw.
    const std::vector<Place>& places() const { return places_; }
    const std::vector<double>& probabilities() const { return probabilities_; }

    // Takes in an episode's error; nothing happens if it is NaN, or if the episode has been
    // overwritten by the time of the last draw(). An infinite error counts as the largest.
    void set_error(const Place& place, double error);

   private:
    static constexpr int kAttempts = 64;
    static constexpr double kLeast = 1e-6;  // priority of an episode without error

    bool attempt(SlotControl& control, int sampler, std::int64_t batch,
                 std::vector<std::int64_t>& slots);
    void look(const SlotControl& control, std::int64_t slot);
    double weight_of(double priority) const;

    double alpha_, largest_ = 0.0;  // largest_: 0 until there is an error
    std::mt19937_64 random_;
    SumTree tree_;
    std::vector<std::int64_t> generations_;  // of the episode that a leaf is about; 0: of none
    std::vector<Place> places_;
    std::vector<double> probabilities_;
};

}  // namespace pyqmix
