// One joint action, one payoff: agent i chooses the index along axis i of the payoffs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "envs/native_env.h"

namespace pyqmix {

class MatrixGame {
   public:
    // payoffs are laid out as a C-contiguous array of these sizes. Where agents have different
    // numbers of actions, the surplus ones are unavailable; a joint action of one is out of range.
    MatrixGame(std::vector<std::int64_t> sizes, std::vector<double> payoffs)
        : sizes_(std::move(sizes)), payoffs_(std::move(payoffs)) {
        std::int64_t count = 1;
        for (const std::int64_t size : sizes_) count *= size;
        if (sizes_.empty() || count < 1 || count != static_cast<std::int64_t>(payoffs_.size()))
            throw std::invalid_argument("payoff: expected a value for each joint action");
    }

    EpisodeSpec spec() const {
        const std::int64_t most = *std::max_element(sizes_.begin(), sizes_.end());
        return {static_cast<std::int64_t>(sizes_.size()),
                most,
                1,
                1,
                1,
                Storage::uint8,
                Storage::uint8};
    }
    void start(std::uint64_t) {
        ended_ = false;
        reward_ = 0.0;
    }
    void step(const std::uint8_t* actions) {
        if (ended_) throw std::logic_error("reset the environment before the next step");
        std::size_t place = 0;
        for (std::size_t i = 0; i < sizes_.size(); ++i) {
            if (actions[i] >= sizes_[i]) throw std::invalid_argument("actions: one is unavailable");
            place = place * static_cast<std::size_t>(sizes_[i]) + actions[i];
        }
        reward_ = payoffs_[place];
        ended_ = true;
    }
    ActionMask available(int i) const { return all_actions(sizes_[static_cast<std::size_t>(i)]); }
    std::span<const double> rewards() const { return {&reward_, 1}; }
    bool finished() const { return ended_; }
    bool at_step_limit() const { return false; }
    // Agents observe 1 before their action, and 0 after it.
    template <typename T>
    void observe(T* out, std::int64_t stride) const {
        for (std::size_t i = 0; i < sizes_.size(); ++i, out += stride) state(out);
    }
    template <typename T>
    void state(T* out) const {
        *out = T(!ended_);
    }
    std::vector<float> obs_scale() const { return {1.0f}; }
    std::vector<float> state_scale() const { return {1.0f}; }

   private:
    std::vector<std::int64_t> sizes_;
    std::vector<double> payoffs_;
    bool ended_ = true;
    double reward_ = 0.0;
};

static_assert(NativeGame<MatrixGame>);

}  // namespace pyqmix
