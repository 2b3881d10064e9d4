// The interface of a game that is played in C++.
//
// A game knows its own rules and nothing of learners: World (world.h) adds to each game the options
// that all environments have, and the batch, the rollout engine and the bindings are templates over
// the game. They are no virtual interface, because a virtual call for each step of each world would
// cost some 3 % of Level-Based Foraging's rollouts.
#pragma once

#include <concepts>
#include <cstddef>
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
// clang-format off
template <typename G>
concept NativeGame = std::copyable<G> &&
    requires(G game, const G& seen, const std::uint8_t* actions, std::uint64_t seed, int agent,
             float* out, std::int64_t stride) {
        // The number of agents n, of actions A <= 64 and of steps at most; the widths O and S of
        // observations and of the game's own state; the types that hold their values exactly.
        { seen.spec() } -> std::same_as<EpisodeSpec>;
        // Begins an episode as a new world would: earlier episodes do not matter. Throws
        // std::runtime_error where no episode can begin.
        game.start(seed);
        // Executes one action of each agent, (n), each below A. Callers pass available actions; an
        // action that is not available does nothing or throws. Throws std::logic_error before the
        // first start.
        game.step(actions);
        // The actions that an agent may take: at least one until the episode has ended.
        { seen.available(agent) } -> std::same_as<ActionMask>;
        // The rewards of the last step: one for each agent, or one for the team.
        { seen.rewards() } -> std::same_as<std::span<const double>>;
        // Whether the episode has ended by the game's own rules.
        { seen.finished() } -> std::same_as<bool>;
        // Whether it has had as many steps as the game allows. A game without a limit, which always
        // ends by itself, returns false.
        { seen.at_step_limit() } -> std::same_as<bool>;
        // Writes observations (n, O), with `stride` elements from one agent's to the next one's.
        seen.observe(out, stride);
        // Writes the game's own state (S).
        seen.state(out);
        // Factors (O) and (S) that bring every value into [-1, 1].
        { seen.obs_scale() } -> std::same_as<std::vector<float>>;
        { seen.state_scale() } -> std::same_as<std::vector<float>>;
    };

// A game that also tells whether the team has won. It may be asked at any time; the answer counts at
// an episode's last step.
template <typename G>
concept ReportsWins = NativeGame<G> &&
    requires(const G& seen) { { seen.won() } -> std::same_as<bool>; };
// clang-format on

// A game of whose worlds a slot can store snapshots, by a codec that the game's header registers.
template <typename G>
concept SnapshotGame = NativeGame<G> && requires(const G& seen, std::byte* out) {
    { G::kSnapshot } -> std::convertible_to<Snapshot>;
    // Writes the snapshot of this point in time.
    seen.snapshot(out);
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
