// A world of Level-Based Foraging as a learner meets it: what is available, what the mixer sees,
// what the team is paid, and how an episode ends. The defaults are the original's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "envs/lbf/lbf_features.h"
#include "envs/lbf/lbf_world.h"
#include "episode/episode_layout.h"

namespace pyqmix {

enum class TeamReward : std::uint8_t { sum, mean, individual };

struct LbfView {
    bool truncate_at_limit = false;  // the step limit truncates; otherwise it terminates
    bool action_mask = true;         // only valid actions are available; otherwise all
    bool global_state = false;       // the state is the world's; otherwise all observations
    TeamReward team_reward = TeamReward::sum;
    Features features;
};

class LbfEnv {
   public:
    // Throws std::invalid_argument where the view does not go with the rules.
    LbfEnv(const LbfRules& rules, const LbfView& view);

    const LbfWorld& world() const { return world_; }
    const LbfView& view() const { return view_; }
    EpisodeSpec spec() const;
    int obs_dim() const { return observation_width(world_, view_.features); }

    // Starts an episode as a new world would: whatever was played before does not matter. Throws
    // std::runtime_error as LbfWorld::reset does.
    void start(std::uint64_t seed) {
        world_.forget();
        world_.seed(seed);
        reset();
    }
    void seed(std::uint64_t seed) { world_.seed(seed); }
    // Starts the next episode of the same world.
    void reset() {
        std::fill(last_actions_.begin(), last_actions_.end(), kNoLastAction);
        world_.reset();
    }
    // As LbfWorld::step.
    void step(const std::uint8_t* actions) {
        world_.step(actions);
        std::copy_n(actions, last_actions_.size(), last_actions_.begin());
    }

    std::uint8_t available(int i) const {
        return view_.action_mask ? world_.valid_actions(i) : LbfWorld::kAllActions;
    }
    // Of the last step: the rewards added, or their mean.
    double reward() const {
        const double sum = world_.rewards_added();
        return view_.team_reward == TeamReward::mean ? sum / world_.rules().players() : sum;
    }
    bool ended() const { return !world_.has_food() || world_.at_step_limit(); }
    bool truncated() const {
        return view_.truncate_at_limit && world_.has_food() && world_.at_step_limit();
    }
    bool terminated() const { return ended() && !truncated(); }

    // Writes observations (n, O).
    template <typename T>
    void observe(T* out) const {
        pyqmix::observe(world_, view_.features, last_actions_.data(), out);
    }
    // Write observations, or the state (S), as a storage type.
    void observe(Storage type, std::byte* out) const;
    void state(Storage type, std::byte* out) const;

   private:
    LbfWorld world_;
    LbfView view_;
    std::vector<std::uint8_t> last_actions_;  // kNoLastAction before an episode's first step
};

// The narrowest type that holds all that these rules let anybody see.
Storage storage_of(const LbfRules& rules);

}  // namespace pyqmix
