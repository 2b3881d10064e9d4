// The interface of a game that is played in C++.
//
// A game knows its own rules and nothing of learners: World (world.h) adds to each game the options
// that all environments have, and the batch, the rollout engine and the bindings are templates over
// the game. They are no virtual interface, because a virtual call for each step of each world would
// cost some 3 % of Level-Based Foraging's rollouts.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <vector>

#include "episode/episode_layout.h"

namespace pyqmix {

// The actions of one agent: bit a says whether action a is available.
using ActionMask = std::uint64_t;
inline constexpr std::int64_t kMostActions = 64;

inline constexpr ActionMask all_actions(std::int64_t n_actions) {
    return n_actions >= kMostActions ? ~ActionMask{0} : (ActionMask{1} << n_actions) - 1;
}

// One world of a game; a copy of it plays on by itself.
//
//   spec()          n agents with A <= 64 actions, the widths O and S of observations and of the
//   game's own
//                   state, the episode limit, and the types that hold all values exactly
//   start(seed)     begins an episode as a new world would: nothing that was played before matters.
//   Throws
//                   std::runtime_error where no episode can begin
//   step(actions)   executes (n) actions, each below A; one that is not available does nothing or
//   is
//                   refused by the caller. Throws std::logic_error before the first start
//   available(i)    agent i's actions
//   rewards()       of the last step: one for each agent, or one for the team
//   finished()      the episode has ended by the game's own rules
//   at_step_limit() it has had as many steps as the game allows
//   observe(out, stride)  writes observations (n, O), `stride` elements from one agent's to the
//   next state(out)      writes the state (S) obs_scale(), state_scale()  factors (O), (S) that
//   bring every value into [-1, 1]
template <typename G>
concept NativeGame =
    std::copyable<G> && requires(G game, const G& seen, const std::uint8_t* actions,
                                 std::uint64_t seed, int agent, float* out, std::int64_t stride) {
        { seen.spec() } -> std::same_as<EpisodeSpec>;
        game.start(seed);
        game.step(actions);
        { seen.available(agent) } -> std::same_as<ActionMask>;
        { seen.rewards() } -> std::same_as<std::span<const double>>;
        { seen.finished() } -> std::same_as<bool>;
        { seen.at_step_limit() } -> std::same_as<bool>;
        seen.observe(out, stride);
        seen.state(out);
        { seen.obs_scale() } -> std::same_as<std::vector<float>>;
        { seen.state_scale() } -> std::same_as<std::vector<float>>;
    };

// A game whose number of actions is fixed may say so as kActions: loops over actions are then
// unrolled.
template <NativeGame Game>
constexpr std::int64_t actions_of(const EpisodeSpec& spec) {
    if constexpr (requires { Game::kActions; })
        return Game::kActions;
    else
        return spec.n_actions;
}

}  // namespace pyqmix
