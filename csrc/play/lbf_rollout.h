// Whole episodes of Level-Based Foraging, played in native threads: the environment, the policy,
// epsilon-greedy and the writing of the ring's slots.
//
// Threading contract: one caller at a time. play() uses up to `threads` threads, each with its own
// worlds and random streams; they share the policy's weights, which nobody writes meanwhile, and
// write to disjoint slots. Episode k is that of (seed, k), the weights and epsilon, and lies in the
// ring where a single thread would have put it, whatever the number of threads and worlds.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "envs/episode_seed.h"
#include "envs/lbf/lbf_env.h"
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
};

class LbfRollout {
   public:
    // Without a ring the episodes are not kept. `writer` is the id by which they are claimed.
    LbfRollout(const LbfEnv& env, std::shared_ptr<Policy> policy, std::uint64_t seed, Stream stream,
               EpisodeRing* ring, int writer);
    ~LbfRollout();

    Policy& policy() { return *policy_; }

    // Throws RingBusy, EpisodeError or SlotTaken; episodes that have not ended are then given up.
    void play(const Play& play);
    // How many threads the last play() asked for work.
    int threads_used() const { return threads_used_; }

   private:
    struct Claimed;
    class Worker;

    void claim(Claimed& claimed);
    void play_claimed(Claimed& claimed);

    LbfEnv env_;
    std::shared_ptr<Policy> policy_;
    std::uint64_t seed_;
    Stream stream_;
    EpisodeRing* ring_;
    int writer_;
    std::vector<std::unique_ptr<Worker>> workers_;
    int threads_used_ = 0;
};

}  // namespace pyqmix
