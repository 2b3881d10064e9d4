// Plays the episodes of one thread in worlds of one game that share each forward pass of the
// policy.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "envs/world.h"
#include "play/epsilon_greedy.h"
#include "play/rollout.h"

namespace pyqmix {

// A lane is one world. Lanes that play stand first; one whose episode has ended takes the next
// episode, or leaves its place to the last lane that plays.
template <NativeGame Game>
class WorldWorker final : public RolloutWorker {
   public:
    WorldWorker(const World<Game>& prototype, const RolloutParts& parts)
        : prototype_(prototype), parts_(parts) {}

    void play(ClaimedEpisodes& claimed) override {
        const double epsilon = claimed.play.epsilon;
        const bool needs_values = epsilon < 1.0;  // every coin is below 1
        const std::int64_t lanes = needs_values ? claimed.lanes : 1;
        prepare(lanes);
        playing_ = 0;
        while (playing_ < lanes && start(playing_, claimed)) ++playing_;
        while (playing_ > 0 && !claimed.failed.load(std::memory_order_relaxed)) {
            if (needs_values)
                parts_.policy->values(playing_, obs_.data(), hidden_.data(), qs_.data(), scratch_);
            for (std::int64_t k = 0; k < playing_;) {
                advance(k, epsilon);
                if (!lane(k).world.ended() || finish(k, claimed)) ++k;
            }
        }
    }

   private:
    struct Lane {
        explicit Lane(const World<Game>& prototype) : world(prototype) {}
        World<Game> world;
        numpy::Generator coins;
        std::int64_t index = 0, steps = 0;
        std::int64_t* slot = nullptr;
        double reward_sum = 0.0;
    };

    void prepare(std::int64_t lanes) {
        const EpisodeSpec& spec = prototype_.spec();
        n_ = spec.n_agents;
        obs_width_ = n_ * spec.obs_dim;
        qs_width_ = n_ * spec.n_actions;
        hidden_width_ = n_ * parts_.policy->hidden_dim();
        while (static_cast<std::int64_t>(lanes_.size()) < lanes) lanes_.emplace_back(prototype_);
        obs_.resize(static_cast<std::size_t>(lanes * obs_width_));
        qs_.resize(static_cast<std::size_t>(lanes * qs_width_));
        hidden_.resize(static_cast<std::size_t>(lanes * hidden_width_));
        actions_.resize(static_cast<std::size_t>(n_));
        draws_.resize(static_cast<std::size_t>(2 * n_));
    }

    Lane& lane(std::int64_t k) { return lanes_[static_cast<std::size_t>(k)]; }

    // Starts the next episode in lane k; false if none is left.
    bool start(std::int64_t k, ClaimedEpisodes& claimed) {
        const std::int64_t index = claimed.next.fetch_add(1, std::memory_order_relaxed);
        if (index >= claimed.end) return false;
        Lane& to = lane(k);
        to.index = index;
        to.slot = &claimed.slots[static_cast<std::size_t>(index - claimed.begin)];
        to.steps = 0;
        to.reward_sum = 0.0;
        const std::int64_t episode = claimed.play.first + index;
        const auto place = static_cast<std::uint64_t>(episode);
        to.coins = numpy::Generator(stream_seeds(parts_.seed, Stream::exploration, place));
        try {
            to.world.start(episode_seed(parts_.seed, parts_.stream, place));
        } catch (const std::exception& error) {
            throw EpisodeError(episode, error.what());
        }
        std::fill_n(hidden_.begin() + k * hidden_width_, hidden_width_, 0.0f);
        if (parts_.ring) parts_.ring->start(*to.slot);
        show(k);
        return true;
    }

    // Chooses, executes and writes one step.
    void advance(std::int64_t k, double epsilon) {
        Lane& at = lane(k);
        choose(k, epsilon);
        at.world.step(actions_.data());
        const double reward = at.world.reward();
        at.reward_sum += reward;
        if (parts_.ring)
            parts_.ring->write_step(*at.slot, at.steps, actions_.data(), static_cast<float>(reward),
                                    at.world.terminated());
        ++at.steps;
        show(k);
    }

    // All agents' coins are drawn first, then the picks of those that explore.
    void choose(std::int64_t k, double epsilon) {
        Lane& at = lane(k);
        double* const coins = draws_.data();
        const double* const picks = coins + n_;
        const float* qs = &qs_[static_cast<std::size_t>(k * qs_width_)];
        std::uint8_t* const actions = actions_.data();
        const int n = static_cast<int>(n_);
        const auto n_actions = static_cast<unsigned>(actions_of<Game>(prototype_.spec()));
        if (epsilon > 0.0)
            for (int draw = 0; draw < 2 * n; ++draw) coins[draw] = at.coins.random();
        for (int i = 0; i < n; ++i, qs += n_actions) {
            const ActionMask available = at.world.available(i);
            const bool explores = epsilon > 0.0 && coins[i] < epsilon;
            actions[i] = explores ? random_action(available, picks[i])
                                  : greedy_action(available, qs, n_actions);
        }
    }

    // Hands in lane k's episode; false if no other is left, and another lane has taken its place.
    bool finish(std::int64_t k, ClaimedEpisodes& claimed) {
        Lane& from = lane(k);
        claimed.play.returns[from.index] = from.reward_sum;
        claimed.play.lengths[from.index] = from.steps;
        if constexpr (ReportsWins<Game>)
            if (claimed.play.won) claimed.play.won[from.index] = from.world.won();
        publish(from, claimed.play.first + from.index);
        if (start(k, claimed)) return true;
        --playing_;
        if (k != playing_) {
            std::swap(from, lane(playing_));
            take_over(obs_, obs_width_, k);
            take_over(qs_, qs_width_, k);
            take_over(hidden_, hidden_width_, k);
        }
        return false;
    }

    void publish(Lane& lane, std::int64_t episode) {
        if (!parts_.ring) return;
        const std::int64_t slot = std::exchange(*lane.slot, ClaimedEpisodes::kNoSlot);
        if (!parts_.ring->control().publish(slot, parts_.writer)) throw SlotTaken(episode);
    }

    // Lane k's part of `of` becomes the last lane's.
    void take_over(std::vector<float>& of, std::int64_t width, std::int64_t k) const {
        std::copy_n(of.begin() + playing_ * width, width, of.begin() + k * width);
    }

    // Writes what a lane's agents see: into its slot as it is stored, and for the policy.
    void show(std::int64_t k) {
        const Lane& at = lane(k);
        float* obs = &obs_[static_cast<std::size_t>(k * obs_width_)];
        if (!parts_.ring) return at.world.observe(obs);
        EpisodeRing& ring = *parts_.ring;
        write_masks(at.world, ring.avail_at(*at.slot, at.steps), ring.layout().mask_bytes);
        if constexpr (SnapshotGame<Game>) {
            if (ring.layout().has_snapshots()) {
                at.world.game().snapshot(ring.snapshot_at(*at.slot, at.steps));
                return at.world.observe(obs);
            }
        }
        std::byte* stored = ring.obs_at(*at.slot, at.steps);
        at.world.observe_stored(stored);
        decode(at.world.spec().obs_storage, stored, obs_width_, obs);
        if (at.world.spec().state_dim > 0) at.world.state_stored(ring.state_at(*at.slot, at.steps));
    }

    // Masks (n, bytes_each), the lowest action in the lowest bit of the first byte.
    void write_masks(const World<Game>& world, std::byte* to, std::int64_t bytes_each) const {
        const int n = static_cast<int>(n_);
        if (bytes_each == 1) {
            for (int i = 0; i < n; ++i) to[i] = static_cast<std::byte>(world.available(i));
            return;
        }
        for (int i = 0; i < n; ++i) {
            ActionMask mask = world.available(i);
            for (std::int64_t byte = 0; byte < bytes_each; ++byte, mask >>= 8)
                *to++ = static_cast<std::byte>(mask & 0xff);
        }
    }

    const World<Game>& prototype_;
    const RolloutParts& parts_;
    std::vector<Lane> lanes_;
    std::int64_t playing_ = 0, n_ = 0;
    std::int64_t obs_width_ = 0, qs_width_ = 0, hidden_width_ = 0;
    std::vector<float> obs_, qs_, hidden_;
    std::vector<std::uint8_t> actions_;
    std::vector<double> draws_;
    PolicyScratch scratch_;
};

// A rollout of a game's worlds, each of which begins as a copy of `world`.
template <NativeGame Game>
std::unique_ptr<Rollout> make_rollout(const World<Game>& world, RolloutParts parts) {
    const auto prototype = std::make_shared<const World<Game>>(world);
    return std::make_unique<Rollout>(
        world.spec(), std::move(parts), [prototype](const RolloutParts& shared) {
            return std::make_unique<WorldWorker<Game>>(*prototype, shared);
        });
}

}  // namespace pyqmix
