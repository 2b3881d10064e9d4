// Whole episodes of a native game, played in native threads: the environment, the policy,
// epsilon-greedy and the writing of the ring's slots. This part knows no game: it claims slots,
// divides the episodes among its workers and gives back the slots of what failed. A worker
// (world_worker.h) plays a game's worlds.
//
// Threading contract: one caller at a time. play() uses up to `threads` threads, each with a worker
// of its own; they share the policy's weights, which nobody writes meanwhile, and write to disjoint
// slots. Episode k is that of (seed, k), the weights and epsilon, and lies in the ring where a
// single thread would have put it, whatever the number of threads and worlds.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "envs/episode_seed.h"
#include "play/policy.h"
#include "replay/episode_ring.h"

namespace pyqmix {

// No slot of the ring was free.
struct RingBusy : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// An environment could not play its episode.
struct EpisodeError : std::runtime_error {
    EpisodeError(std::int64_t episode, const std::string& what)
        : std::runtime_error("episode " + std::to_string(episode) + ", step 0: " + what) {}
};

// Somebody proved this process dead, though it lives: its lock on the ring's file is gone.
struct SlotTaken : std::runtime_error {
    explicit SlotTaken(std::int64_t episode)
        : std::runtime_error("episode " + std::to_string(episode) +
                             ": its slot was taken from this writer, as if the process had died; "
                             "the ring's descriptors must stay open") {}
};

// Episodes first, ..., first + count - 1, and where their results go.
struct Play {
    std::int64_t first = 0, count = 0;
    double epsilon = 0.0;
    int threads = 1;
    std::int64_t lanes = 1;           // most worlds of a thread that share each forward pass
    double* returns = nullptr;        // (count): sums of rewards
    std::int64_t* lengths = nullptr;  // (count): steps
    bool* won = nullptr;  // (count); null, or not written, where the game does not report wins
};

// Episodes [begin, end) of a play(), whose slots are claimed; workers take them one after another.
struct ClaimedEpisodes {
    static constexpr std::int64_t kNoSlot = -1;

    const Play& play;
    std::int64_t begin, end;
    std::vector<std::int64_t> slots;  // of each episode; kNoSlot once it is published
    std::int64_t lanes = 1;
    std::atomic<std::int64_t> next{begin};
    std::atomic<bool> failed{false};
};

// All that the workers of a rollout share.
struct RolloutParts {
    std::shared_ptr<Policy> policy;
    std::uint64_t seed = 0;
    Stream stream = Stream::environment;  // of the environments' seeds
    EpisodeRing* ring = nullptr;          // none: the episodes are not kept
    int writer = 0;                       // the id by which they are claimed
};

// Plays episodes in one thread.
class RolloutWorker {
   public:
    virtual ~RolloutWorker() = default;
    // Plays claimed episodes until none is left, or another worker has failed.
    virtual void play(ClaimedEpisodes& claimed) = 0;
};

class Rollout {
   public:
    using MakeWorker = std::function<std::unique_ptr<RolloutWorker>(const RolloutParts&)>;

    // Throws std::invalid_argument where the policy's or the ring's sizes are not the
    // environment's.
    Rollout(const EpisodeSpec& spec, RolloutParts parts, MakeWorker make_worker);

    Rollout(const Rollout&) = delete;  // its workers refer to it
    Rollout& operator=(const Rollout&) = delete;

    // Throws RingBusy, EpisodeError or SlotTaken; episodes that have not ended are then given up.
    void play(const Play& play);
    // How many threads the last play() asked for work.
    int threads_used() const { return threads_used_; }

   private:
    void claim(ClaimedEpisodes& claimed);
    void play_claimed(ClaimedEpisodes& claimed);

    RolloutParts parts_;
    MakeWorker make_worker_;
    std::vector<std::unique_ptr<RolloutWorker>> workers_;
    int threads_used_ = 0;
};

}  // namespace pyqmix
