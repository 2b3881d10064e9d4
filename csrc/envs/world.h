// A game as a learner meets it: with the options that every environment has. They say what agents
// see of their own past, what a step limit means, how rewards become the team's, and what the mixer
// sees.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include "envs/native_env.h"

namespace pyqmix {

enum class TeamReward : std::uint8_t { sum, mean };

struct WorldOptions {
    bool truncate_at_limit = false;  // the step limit truncates; otherwise it terminates
    bool global_state = true;        // the state is the game's own; otherwise all observations
    bool last_action = false;  // observations end with a one-hot code of the agent's last action
    TeamReward team_reward = TeamReward::sum;
};

template <NativeGame Game>
class World {
   public:
    World(Game game, const WorldOptions& options)
        : game_(std::move(game)),
          options_(options),
          spec_(game_.spec()),
          game_obs_dim_(spec_.obs_dim) {
        if (spec_.n_actions > kMostActions)
            throw std::invalid_argument("n_actions: expected at most 64 actions of an agent, got " +
                                        std::to_string(spec_.n_actions));
        if (options_.last_action) spec_.obs_dim += spec_.n_actions;
        if (!options_.global_state) {
            spec_.state_dim = 0;
            spec_.state_storage = Storage::float32;
        }
        if constexpr (SnapshotGame<Game>)
            spec_.snapshot = snapshot_if_smaller(spec_, Game::kSnapshot);
        last_actions_.assign(static_cast<std::size_t>(spec_.n_agents), kNoAction);
    }

    const Game& game() const { return game_; }
    Game& game() { return game_; }
    const WorldOptions& options() const { return options_; }
    const EpisodeSpec& spec() const { return spec_; }

    // Begins an episode as a new world would. Throws as the game's start does.
    void start(std::uint64_t seed) {
        forget_actions();
        game_.start(seed);
    }
    void step(const std::uint8_t* actions) {
        game_.step(actions);
        remember_actions(actions);
    }
    // The next observation shows these as the last actions, (n).
    void remember_actions(const std::uint8_t* actions) {
        std::copy_n(actions, last_actions_.size(), last_actions_.begin());
    }
    // The next observation shows no last action.
    void forget_actions() { std::fill(last_actions_.begin(), last_actions_.end(), kNoAction); }

    ActionMask available(int agent) const { return game_.available(agent); }
    // The team's reward of the last step.
    double reward() const {
        const auto rewards = game_.rewards();
        const double sum = std::accumulate(rewards.begin(), rewards.end(), 0.0);
        return options_.team_reward == TeamReward::mean ? sum / static_cast<double>(rewards.size())
                                                        : sum;
    }
    bool ended() const { return game_.finished() || game_.at_step_limit(); }
    bool truncated() const {
        return options_.truncate_at_limit && !game_.finished() && game_.at_step_limit();
    }
    bool terminated() const { return ended() && !truncated(); }
    // Whether the team has won; it counts at an episode's last step.
    bool won() const
        requires ReportsWins<Game>
    {
        return game_.won();
    }

    // Writes observations (n, O).
    template <typename T>
    void observe(T* out) const {
        game_.observe(out, spec_.obs_dim);
        if (!options_.last_action) return;
        for (const std::uint8_t last : last_actions_) {
            T* const code = out + game_obs_dim_;
            for (std::int64_t action = 0; action < actions_of<Game>(spec_); ++action)
                code[action] = T(last == action);
            out += spec_.obs_dim;
        }
    }
    // Write observations, or the state (S), in the types that the spec names.
    void observe_stored(std::byte* out) const {
        as_stored(spec_.obs_storage, out, [&](auto* to) { observe(to); });
    }
    void state_stored(std::byte* out) const {
        as_stored(spec_.state_storage, out, [&](auto* to) { game_.state(to); });
    }

    // Factors (O) that bring observations into [-1, 1].
    std::vector<float> obs_scale() const {
        std::vector<float> scale = game_.obs_scale();
        scale.resize(static_cast<std::size_t>(spec_.obs_dim), 1.0f);
        return scale;
    }

   private:
    // Stands for the last action before an episode's first step.
    static constexpr std::uint8_t kNoAction = 255;

    // Calls visit with `out` as a pointer to the type.
    template <typename Visit>
    static void as_stored(Storage type, std::byte* out, const Visit& visit) {
        switch (type) {
            case Storage::int8:
                return visit(reinterpret_cast<std::int8_t*>(out));
            case Storage::uint8:
                return visit(reinterpret_cast<std::uint8_t*>(out));
            case Storage::int16:
                return visit(reinterpret_cast<std::int16_t*>(out));
            case Storage::float32:
                return visit(reinterpret_cast<float*>(out));
        }
    }

    Game game_;
    WorldOptions options_;
    EpisodeSpec spec_;
    std::int64_t game_obs_dim_;
    std::vector<std::uint8_t> last_actions_;
};

}  // namespace pyqmix
