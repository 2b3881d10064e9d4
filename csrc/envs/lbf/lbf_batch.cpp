#include "envs/lbf/lbf_batch.h"

#include "envs/episode_seed.h"

namespace pyqmix {

void LbfBatch::reset(const LbfBatchOut& out) {
    for (std::size_t k = 0; k < envs_.size(); ++k) {
        ended_[k] = false;
        start(envs_[k]);
        show(k, out);
    }
}

void LbfBatch::step(const std::uint8_t* actions, const LbfBatchOut& out) {
    const auto n = static_cast<std::size_t>(envs_[0].world().rules().players());
    const bool individual = envs_[0].view().team_reward == TeamReward::individual;
    for (std::size_t k = 0; k < envs_.size(); ++k) {
        LbfEnv& env = envs_[k];
        const bool restart = ended_[k] != 0;
        restart ? start(env) : env.step(actions + k * n);
        if (individual)
            for (std::size_t i = 0; i < n; ++i)
                out.rewards[k * n + i] = restart ? 0.0 : env.world().reward(static_cast<int>(i));
        else
            out.rewards[k] = restart ? 0.0 : env.reward();
        out.terminated[k] = !restart && env.terminated();
        out.truncated[k] = !restart && env.truncated();
        ended_[k] = !restart && env.ended();
        show(k, out);
    }
}

void LbfBatch::start(LbfEnv& env) {
    env.start(episode_seed(seed_, Stream::environment, episodes_++));
}

void LbfBatch::show(std::size_t k, const LbfBatchOut& out) const {
    const LbfEnv& env = envs_[k];
    const LbfWorld& world = env.world();
    const auto n = static_cast<std::size_t>(world.rules().players());
    env.observe(out.obs + k * n * static_cast<std::size_t>(env.obs_dim()));
    bool* avail = out.avail + k * n * LbfWorld::kActions;
    for (std::size_t i = 0; i < n; ++i) {
        const unsigned bits = env.available(static_cast<int>(i));
        for (int action = 0; action < LbfWorld::kActions; ++action) *avail++ = bits >> action & 1u;
    }
    if (env.view().global_state)
        world.state(out.state + k * static_cast<std::size_t>(world.state_dim()));
}

}  // namespace pyqmix
