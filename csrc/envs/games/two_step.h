// The two-step cooperative game of Rashid et al., arXiv:1803.11485, section 5.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "envs/native_env.h"

namespace pyqmix {

// In the first state agent 0 alone decides: action 0 leads to state 2A, where every joint action is
// worth 7, action 1 to 2B, where only (1, 1) is worth 8. Both agents observe the state as a one-hot
// vector (first, 2A, 2B), which is zero after the end.
class TwoStepGame {
   public:
    EpisodeSpec spec() const { return {2, 2, kStates, kStates, 2, Storage::uint8, Storage::uint8}; }

    void start(std::uint64_t) {
        place_ = kFirst;
        reward_ = 0.0;
    }
    void step(const std::uint8_t* actions) {
        if (place_ == kEnd) throw std::logic_error("reset the environment before the next step");
        if (place_ == kFirst) {
            place_ = actions[0] == 0 ? kSecondA : kSecondB;
            return;
        }
        static constexpr double kPayoffOfB[2][2] = {{0.0, 1.0}, {1.0, 8.0}};
        reward_ = place_ == kSecondA ? 7.0 : kPayoffOfB[actions[0]][actions[1]];
        place_ = kEnd;
    }
    ActionMask available(int) const { return all_actions(2); }
    std::span<const double> rewards() const { return {&reward_, 1}; }
    bool finished() const { return place_ == kEnd; }
    bool at_step_limit() const { return false; }
    template <typename T>
    void observe(T* out, std::int64_t stride) const {
        for (int agent = 0; agent < 2; ++agent) state(out + agent * stride);
    }
    template <typename T>
    void state(T* out) const {
        for (int place = 0; place < kStates; ++place) out[place] = T(place == place_);
    }
    std::vector<float> obs_scale() const { return std::vector<float>(kStates, 1.0f); }
    std::vector<float> state_scale() const { return obs_scale(); }

   private:
    enum Place : int { kFirst, kSecondA, kSecondB, kEnd };
    static constexpr int kStates = 3;

    Place place_ = kEnd;
    double reward_ = 0.0;
};

static_assert(NativeGame<TwoStepGame>);

}  // namespace pyqmix
