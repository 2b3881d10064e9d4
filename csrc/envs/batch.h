// Several worlds that step together; one that has ended begins its next episode at the next step.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "envs/episode_seed.h"
#include "envs/world.h"

namespace pyqmix {

// Where a batch of K worlds writes; everything contiguous.
struct BatchOfWorldsOut {
    float* obs = nullptr;        // (K, n, O)
    bool* avail = nullptr;       // (K, n, A)
    float* state = nullptr;      // (K, S); not written where the state is the observations
    double* rewards = nullptr;   // (K), or (K, n) for individual ones
    bool* terminated = nullptr;  // (K)
    bool* truncated = nullptr;   // (K)
    bool* won = nullptr;         // (K): the episode has ended here and the team has won; not
                                 // written where the game does not report wins
};

// Which of K worlds a reset concerns, and by which seeds they begin.
struct WorldsToReset {
    const bool* mask = nullptr;  // (K); null: all
    // (K), of the worlds' episodes; none, or no entries: the batch's next episode.
    std::vector<std::optional<std::uint64_t>> seeds;
};

// Writes agent after agent which actions are available, (n, A).
template <NativeGame Game>
void write_avail(const World<Game>& world, bool* out) {
    const EpisodeSpec& spec = world.spec();
    const int n_agents = static_cast<int>(spec.n_agents);
    const std::int64_t n_actions = actions_of<Game>(spec);
    for (int agent = 0; agent < n_agents; ++agent) {
        const ActionMask mask = world.available(agent);
        for (std::int64_t action = 0; action < n_actions; ++action)
            *out++ = (mask >> action & 1u) != 0;
    }
}

template <NativeGame Game>
class BatchOfWorlds {
   public:
    // With individual rewards each agent's stands apart; otherwise the team's is written.
    BatchOfWorlds(const World<Game>& world, std::int64_t count, bool individual_rewards)
        : worlds_(static_cast<std::size_t>(count), world),
          ended_(worlds_.size(), 0),
          individual_rewards_(individual_rewards) {}

    // The k-th episode that starts from here on is that of (seed, k).
    void seed(std::uint64_t seed) {
        seed_ = seed;
        episodes_ = 0;
    }
    // Starts an episode in every world, or in some; writes obs, avail and state of all.
    void reset(const WorldsToReset& which, const BatchOfWorldsOut& out) {
        for (std::size_t k = 0; k < worlds_.size(); ++k) {
            if (which.mask == nullptr || which.mask[k]) {
                ended_[k] = false;
                const auto seed = which.seeds.empty() ? std::nullopt : which.seeds[k];
                seed ? worlds_[k].start(*seed) : start(worlds_[k]);
            }
            show(k, out);
        }
    }
    // Steps every world, or starts its next episode, with reward 0. actions (K, n), each below A.
    void step(const std::uint8_t* actions, const BatchOfWorldsOut& out) {
        const auto n = static_cast<std::size_t>(worlds_[0].spec().n_agents);
        for (std::size_t k = 0; k < worlds_.size(); ++k) {
            World<Game>& world = worlds_[k];
            const bool restart = ended_[k] != 0;
            restart ? start(world) : world.step(actions + k * n);
            write_rewards(k, restart, out);
            out.terminated[k] = !restart && world.terminated();
            out.truncated[k] = !restart && world.truncated();
            ended_[k] = !restart && world.ended();
            if constexpr (ReportsWins<Game>) out.won[k] = ended_[k] != 0 && world.won();
            show(k, out);
        }
    }

   private:
    void start(World<Game>& world) {
        world.start(episode_seed(seed_, Stream::environment, episodes_++));
    }
    void write_rewards(std::size_t k, bool restart, const BatchOfWorldsOut& out) const {
        const World<Game>& world = worlds_[k];
        if (!individual_rewards_) {
            out.rewards[k] = restart ? 0.0 : world.reward();
            return;
        }
        const auto rewards = world.game().rewards();
        for (std::size_t i = 0; i < rewards.size(); ++i)
            out.rewards[k * rewards.size() + i] = restart ? 0.0 : rewards[i];
    }
    void show(std::size_t k, const BatchOfWorldsOut& out) const {
        const World<Game>& world = worlds_[k];
        const EpisodeSpec& spec = world.spec();
        const auto place = static_cast<std::int64_t>(k);
        world.observe(out.obs + place * spec.n_agents * spec.obs_dim);
        write_avail(world, out.avail + place * spec.n_agents * spec.n_actions);
        if (spec.state_dim > 0) world.game().state(out.state + place * spec.state_dim);
    }

    std::vector<World<Game>> worlds_;
    std::vector<std::uint8_t> ended_;
    bool individual_rewards_;
    std::uint64_t seed_ = 0, episodes_ = 0;
};

}  // namespace pyqmix
