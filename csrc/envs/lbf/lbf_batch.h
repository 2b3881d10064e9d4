// Several worlds that step together; an ended one starts its next episode at the next step.
#pragma once

#include <cstdint>
#include <vector>

#include "envs/lbf/lbf_env.h"

namespace pyqmix {

// Where a batch of K worlds writes; everything contiguous.
struct LbfBatchOut {
    float* obs = nullptr;        // (K, n, O)
    bool* avail = nullptr;       // (K, n, 6)
    float* state = nullptr;      // (K, S); not written without a global state
    double* rewards = nullptr;   // (K), or (K, n) for individual ones
    bool* terminated = nullptr;  // (K)
    bool* truncated = nullptr;   // (K)
};

class LbfBatch {
   public:
    LbfBatch(const LbfEnv& env, std::int64_t count)
        : envs_(static_cast<std::size_t>(count > 0 ? count : 0), env), ended_(envs_.size(), 0) {}

    std::int64_t size() const { return static_cast<std::int64_t>(envs_.size()); }
    const LbfEnv& env(std::int64_t k) const { return envs_[static_cast<std::size_t>(k)]; }

    // The k-th episode that starts from here on is that of (seed, k).
    void seed(std::uint64_t seed) {
        seed_ = seed;
        episodes_ = 0;
    }
    // Starts an episode in every world; writes obs, avail and state.
    void reset(const LbfBatchOut& out);
    // actions (K, n), each below LbfWorld::kActions.
    void step(const std::uint8_t* actions, const LbfBatchOut& out);

   private:
    void start(LbfEnv& env);
    void show(std::size_t k, const LbfBatchOut& out) const;

    std::vector<LbfEnv> envs_;
    std::vector<std::uint8_t> ended_;
    std::uint64_t seed_ = 0, episodes_ = 0;
};

}  // namespace pyqmix
