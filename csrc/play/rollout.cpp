#include "play/rollout.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/parallel.h"

namespace pyqmix {

Rollout::Rollout(const EpisodeSpec& spec, RolloutParts parts, MakeWorker make_worker)
    : parts_(std::move(parts)), make_worker_(std::move(make_worker)) {
    const NetworkSpec& networks = parts_.policy->spec();
    if (networks.n_agents != spec.n_agents || networks.obs_dim != spec.obs_dim ||
        networks.n_actions != spec.n_actions)
        throw std::invalid_argument("policy: its sizes are not those of the environment");
    EpisodeSpec stored = spec;  // any game's ring may store observations and states themselves
    if (parts_.ring && !parts_.ring->layout().has_snapshots()) stored.snapshot = Snapshot::none;
    if (parts_.ring && parts_.ring->layout().spec != stored)
        throw std::invalid_argument("ring: its episodes are not those of the environment");
}

void Rollout::play(const Play& play) {
    EpisodeRing* const ring = parts_.ring;
    // Half of the ring at a time, so that samplers may hold the other.
    const std::int64_t most =
        ring ? std::max<std::int64_t>(1, ring->control().capacity() / 2) : play.count;
    for (std::int64_t begin = 0; begin < play.count; begin += most) {
        const std::int64_t end = std::min(begin + most, play.count);
        ClaimedEpisodes claimed{play, begin, end,
                                std::vector<std::int64_t>(end - begin, ClaimedEpisodes::kNoSlot)};
        try {
            claim(claimed);
            play_claimed(claimed);
        } catch (...) {
            for (const std::int64_t slot : claimed.slots)
                if (slot != ClaimedEpisodes::kNoSlot) ring->control().abort(slot, parts_.writer);
            throw;
        }
    }
}

// In the order of the episodes, so that each lies in the same slot whoever plays it.
void Rollout::claim(ClaimedEpisodes& claimed) {
    if (!parts_.ring) return;
    for (std::int64_t& slot : claimed.slots) {
        const std::int64_t free = parts_.ring->claim(parts_.writer);
        if (free == SlotControl::kBusy) throw RingBusy("no slot of the ring is free");
        slot = free;
    }
}

void Rollout::play_claimed(ClaimedEpisodes& claimed) {
    const Play& play = claimed.play;
    const std::int64_t count = claimed.end - claimed.begin;
    const auto threads = static_cast<int>(std::min<std::int64_t>(play.threads, count));
    claimed.lanes = std::min(play.lanes, (count + threads - 1) / threads);
    threads_used_ = threads;
    while (static_cast<int>(workers_.size()) < threads) workers_.push_back(make_worker_(parts_));
    std::vector<std::exception_ptr> errors(static_cast<std::size_t>(threads));
    parallel_for(threads, threads, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t t = begin; t < end; ++t) try {
                workers_[static_cast<std::size_t>(t)]->play(claimed);
            } catch (...) {
                claimed.failed.store(true, std::memory_order_relaxed);
                errors[static_cast<std::size_t>(t)] = std::current_exception();
            }
    });
    for (const std::exception_ptr& error : errors)
        if (error) std::rethrow_exception(error);
}

}  // namespace pyqmix
