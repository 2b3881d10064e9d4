// Draws slots in proportion to the priorities of their episodes: proportional prioritisation with
// stratified draws, Schaul et al., arXiv:1511.05952, section 3.3, over whole episodes.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "replay/slot_control.h"
#include "replay/sum_tree.h"

namespace pyqmix {

// An episode: its slot, and its number among the episodes of that slot.
struct Place {
    std::int64_t slot = 0, generation = 0;
};

// All that the next draws depend on, besides what the ring holds.
struct PrioritisedState {
    std::mt19937_64 random;
    double largest = 0.0;
    std::vector<double> weights;            // of each slot; 0 without an episode
    std::vector<std::int64_t> generations;  // of the episode that each weight is of; 0: none
};

// Belongs to one sampler, one thread at a time. An episode's priority is that of its last error;
// without an error, it is the largest priority of any error so far. A priority ends with its
// episode: the slot's generation tells the episode from the one that overwrites it.
class PrioritisedDraw {
   public:
    // Episodes are drawn with probabilities proportional to priority ** alpha.
    PrioritisedDraw(std::int64_t capacity, double alpha, std::uint64_t seed);

    // Pins `batch` slots, drawn with replacement, and appends them to `slots`. Appends nothing if
    // no episode can be pinned. Depends on the seed, the draws and errors before, and what the ring
    // holds.
    void draw(SlotControl& control, int sampler, std::int64_t batch,
              std::vector<std::int64_t>& slots);

    // The episodes of the last draw(), and the probability of each in a single draw.
    const std::vector<Place>& places() const { return places_; }
    const std::vector<double>& probabilities() const { return probabilities_; }

    // Takes in an episode's error; nothing happens if it is NaN, or if the episode has been
    // overwritten by the time of the last draw(). An infinite error counts as the largest.
    void set_error(const Place& place, double error);

    PrioritisedState state() const;
    // Takes up a state() of a ring that holds the same. Throws std::invalid_argument, and changes
    // nothing, for one of another capacity or with values that no state has.
    void set_state(const PrioritisedState& state);

   private:
    static constexpr int kAttempts = 64;
    static constexpr double kLeast = 1e-6;  // priority of an episode without error

    bool attempt(SlotControl& control, int sampler, std::int64_t batch,
                 std::vector<std::int64_t>& slots);
    void look(const SlotControl& control, std::int64_t slot);
    double weight_of(double priority) const;

    std::int64_t capacity_;
    double alpha_, largest_ = 0.0;  // largest_: 0 until there is an error
    std::mt19937_64 random_;
    SumTree tree_;
    std::vector<std::int64_t> generations_;  // of the episode of each leaf; 0: no episode
    std::vector<Place> places_;
    std::vector<double> probabilities_;
};

}  // namespace pyqmix
