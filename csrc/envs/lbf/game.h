// Level-Based Foraging as a native game: a world, what its players see, and which actions they are
// offered.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "envs/lbf/observation.h"
#include "envs/lbf/world.h"
#include "envs/native_env.h"

namespace pyqmix {

struct LbfOptions {
    bool action_mask = true;  // only valid actions are available; otherwise all
    Positions positions = Positions::absolute;
    bool nearest_first = false;  // food and others are seen in the order of their distance
};

class LbfGame {
   public:
    static constexpr int kActions = LbfWorld::kActions;

    // Throws std::invalid_argument where the options do not go with the rules.
    LbfGame(const LbfRules& rules, const LbfOptions& options)
        : world_(rules),
          observation_(rules, options.positions, options.nearest_first),
          options_(options) {}

    const LbfWorld& world() const { return world_; }
    LbfWorld& world() { return world_; }

    EpisodeSpec spec() const;
    void start(std::uint64_t seed) {
        world_.forget();
        world_.seed(seed);
        world_.reset();
    }
    void step(const std::uint8_t* actions) { world_.step(actions); }
    ActionMask available(int i) const {
        return options_.action_mask ? world_.valid_actions(i) : LbfWorld::kAllActions;
    }
    std::span<const double> rewards() const { return world_.rewards(); }
    bool finished() const { return !world_.has_food(); }
    bool at_step_limit() const { return world_.at_step_limit(); }
    template <typename T>
    void observe(T* out, std::int64_t stride) const {
        observation_.write(world_, out, stride);
    }
    template <typename T>
    void state(T* out) const {
        LbfObservation::write_state(world_, out);
    }
    std::vector<float> obs_scale() const { return observation_.scale(world_.rules()); }
    std::vector<float> state_scale() const { return LbfObservation::state_scale(world_.rules()); }

   private:
    LbfWorld world_;
    LbfObservation observation_;
    LbfOptions options_;
};

static_assert(NativeGame<LbfGame>);

}  // namespace pyqmix
