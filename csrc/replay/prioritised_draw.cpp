#include "replay/prioritised_draw.h"

#include <algorithm>
#include <cmath>

namespace pyqmix {
namespace {

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
    : alpha_(alpha),
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

double PrioritisedDraw::weight_of(double priority) const { return std::pow(priority, alpha_); }

}  // namespace pyqmix
