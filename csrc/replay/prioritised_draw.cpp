#include "replay/prioritised_draw.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

namespace pyqmix {
namespace {

[[noreturn]] void refuse(const std::string& name, std::size_t slot, const std::string& expected,
                         double got) {
    throw std::invalid_argument(name + ": expected " + expected + " for slot " +
                                std::to_string(slot) + ", got " + std::to_string(got));
}

// Uniform in [0, 1), the same on every platform.
double uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1.0p-53; }

// Of the episode that can be sampled from a slot, or 0.
std::int64_t generation_in(std::uint64_t word) {
    return SlotWord::sampleable(word)
               ? static_cast<std::int64_t>(word >> SlotWord::kGenerationShift)
               : 0;
}

}  // namespace

PrioritisedDraw::PrioritisedDraw(std::int64_t capacity, double alpha, std::uint64_t seed)
    : capacity_(capacity),
      alpha_(alpha),
      random_(seed),
      tree_(capacity),
      generations_(static_cast<std::size_t>(capacity), 0) {}

void PrioritisedDraw::draw(SlotControl& control, int sampler, std::int64_t batch,
                           std::vector<std::int64_t>& slots) {
    for (std::int64_t slot = 0, end = control.touched(); slot < end; ++slot) look(control, slot);
    // An attempt fails only if others write meanwhile; it has then updated the tree.
    for (int tries = 0; tries < kAttempts && tree_.total() > 0.0; ++tries) {
        if (attempt(control, sampler, batch, slots)) return;
        for (const std::int64_t slot : slots) control.unpin(slot, sampler);
        slots.clear();
    }
    places_.clear();
    probabilities_.clear();
}

bool PrioritisedDraw::attempt(SlotControl& control, int sampler, std::int64_t batch,
                              std::vector<std::int64_t>& slots) {
    places_.clear();
    probabilities_.clear();
    const double total = tree_.total();
    for (std::int64_t k = 0; k < batch; ++k) {
        const double share = (static_cast<double>(k) + uniform(random_)) / double(batch);
        const std::int64_t slot = tree_.find(share * total);
        const std::int64_t known = generations_[static_cast<std::size_t>(slot)];
        const bool pinned = control.pin(slot, sampler);
        if (pinned) slots.push_back(slot);
        if (!pinned || generation_in(control.word(slot)) != known) {
            look(control, slot);
            return false;
        }
        places_.push_back({slot, known});
        probabilities_.push_back(tree_[slot] / total);
    }
    return true;
}

void PrioritisedDraw::look(const SlotControl& control, std::int64_t slot) {
    std::int64_t& known = generations_[static_cast<std::size_t>(slot)];
    const std::int64_t now = generation_in(control.word(slot));
    if (now == known) return;
    known = now;
    tree_.set(slot, now == 0 ? 0.0 : weight_of(largest_ > 0.0 ? largest_ : 1.0));
}

void PrioritisedDraw::set_error(const Place& place, double error) {
    if (generations_[static_cast<std::size_t>(place.slot)] != place.generation) return;
    if (std::isnan(error)) return;
    const double priority = std::isinf(error) ? largest_ : std::abs(error) + kLeast;
    largest_ = std::max(largest_, priority);
    tree_.set(place.slot, weight_of(priority > 0.0 ? priority : 1.0));
}

PrioritisedState PrioritisedDraw::state() const {
    PrioritisedState state{random_, largest_, {}, generations_};
    for (std::int64_t slot = 0; slot < capacity_; ++slot) state.weights.push_back(tree_[slot]);
    return state;
}

void PrioritisedDraw::set_state(const PrioritisedState& state) {
    const auto slots = static_cast<std::size_t>(capacity_);
    if (state.weights.size() != slots || state.generations.size() != slots)
        throw std::invalid_argument("weights, generations: expected " + std::to_string(slots));
    if (!std::isfinite(state.largest) || state.largest < 0.0)
        throw std::invalid_argument("largest: expected a finite number of at least 0, got " +
                                    std::to_string(state.largest));
    for (std::size_t slot = 0; slot < slots; ++slot) {
        const double weight = state.weights[slot];
        const std::int64_t generation = state.generations[slot];
        if (generation < 0 || generation > std::numeric_limits<std::uint32_t>::max())
            refuse("generations", slot, "0 to 4294967295", double(generation));
        if (!std::isfinite(weight) || weight < 0.0 || (weight > 0.0 && generation == 0))
            refuse("weights", slot,
                   generation == 0 ? "0 without an episode" : "a finite number of at least 0",
                   weight);
    }
    SumTree tree(capacity_);
    for (std::int64_t slot = 0; slot < capacity_; ++slot)
        tree.set(slot, state.weights[static_cast<std::size_t>(slot)]);
    random_ = state.random;
    largest_ = state.largest;
    tree_ = std::move(tree);
    generations_ = state.generations;
    places_.clear();
    probabilities_.clear();
}

double PrioritisedDraw::weight_of(double priority) const { return std::pow(priority, alpha_); }

}  // namespace pyqmix
