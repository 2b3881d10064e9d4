// Published episodes as batches have them.
#include <algorithm>
#include <cstring>

#include "replay/episode_ring.h"

namespace pyqmix {
namespace {

// Writes a one-hot code of each agent's last action at the end of observations (points, n, O); it
// is zero at the first point. actions (points - 1, n).
void write_last_actions(const EpisodeSpec& s, const std::int64_t* actions, std::int64_t points,
                        float* obs) {
    const std::int64_t n = s.n_agents;
    float* code = obs + s.obs_dim - s.n_actions;
    for (std::int64_t row = 0; row < points * n; ++row, code += s.obs_dim) {
        const std::int64_t last = row < n ? -1 : actions[row - n];
        for (std::int64_t action = 0; action < s.n_actions; ++action)
            code[action] = static_cast<float>(action == last);
    }
}

}  // namespace

// Observations and states of an episode's first points; without the code of last actions, where
// they come from snapshots.
void EpisodeRing::decode_points(std::int64_t slot, std::int64_t points, float* obs,
                                float* state) const {
    const EpisodeSpec& s = layout_.spec;
    if (layout_.has_snapshots())
        return snapshot_codec(s.snapshot).rebuild(s, snapshot_at(slot, 0), points, obs, state);
    decode(s.obs_storage, obs_at(slot, 0), points * s.n_agents * s.obs_dim, obs);
    if (state) decode(s.state_storage, state_at(slot, 0), points * s.state_dim, state);
}

void EpisodeRing::decode_episode(std::int64_t slot, std::int64_t b, const BatchOut& out) const {
    const EpisodeSpec& s = layout_.spec;
    const std::int64_t steps = length(slot), points = steps + 1, all_points = out.steps + 1;
    const std::int64_t n = s.n_agents, width = n * s.obs_dim;

    float* const obs = out.obs + b * all_points * width;
    float* const state = s.state_dim > 0 ? out.state + b * all_points * s.state_dim : nullptr;
    decode_points(slot, points, obs, state);
    std::fill(obs + points * width, obs + all_points * width, 0.0f);

    bool* const avail = out.avail + b * all_points * n * s.n_actions;
    unpack_flags(at(slot, layout_.avail), points * n, s.n_actions, avail);
    std::fill(avail + points * n * s.n_actions, avail + all_points * n * s.n_actions, false);

    if (state) std::fill(state + points * s.state_dim, state + all_points * s.state_dim, 0.0f);

    std::int64_t* const actions = out.actions + b * out.steps * n;
    decode_actions(layout_.action_bytes, at(slot, layout_.actions), steps * n, actions);
    std::fill(actions + steps * n, actions + out.steps * n, std::int64_t{0});
    if (layout_.last_action) write_last_actions(s, actions, points, obs);

    float* const rewards = out.rewards + b * out.steps;
    std::memcpy(rewards, at(slot, layout_.rewards),
                static_cast<std::size_t>(steps) * sizeof(float));
    std::fill(rewards + steps, rewards + out.steps, 0.0f);

    bool* const terminated = out.terminated + b * out.steps;
    decode_bools(at(slot, layout_.terminated), steps, terminated);
    std::fill(terminated + steps, terminated + out.steps, false);
}

}  // namespace pyqmix
