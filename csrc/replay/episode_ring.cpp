#include "replay/episode_ring.h"

#include <algorithm>
#include <numeric>
#include <string>

namespace pyqmix {
namespace {

void refuse_lossy(const char* field, float value, Storage type) {
    throw std::invalid_argument(std::string(field) + ": " + std::to_string(value) +
                                " cannot be stored exactly as " + storage_name(type));
}

void pack_bits(const bool* from, std::int64_t count, std::byte* to) {
    for (std::int64_t i = 0; i < count; i += 8) {
        unsigned bits = 0;
        for (std::int64_t j = i; j < std::min(i + 8, count); ++j)
            bits |= unsigned{from[j]} << (j - i);
        to[i / 8] = static_cast<std::byte>(bits);
    }
}

void unpack_bits(const std::byte* from, std::int64_t count, bool* to) {
    for (std::int64_t i = 0; i < count; ++i)
        to[i] = (static_cast<unsigned>(from[i / 8]) >> (i % 8)) & 1u;
}

}  // namespace

void EpisodeRing::write_point(std::int64_t slot, std::int64_t t, const PointIn& point) {
    const EpisodeSpec& s = layout_.spec;
    if (t > s.episode_limit)
        throw std::invalid_argument("episode_limit: the slot holds " +
                                    std::to_string(s.episode_limit) + " steps, and it is full");
    const std::int64_t width = s.n_agents * s.obs_dim;
    const std::int64_t lossy = encode(s.obs_storage, point.obs, width, obs_at(slot, t));
    if (lossy >= 0) refuse_lossy("obs", point.obs[lossy], s.obs_storage);
    for (std::int64_t i = 0; i < s.n_agents; ++i)
        pack_bits(point.avail + i * s.n_actions, s.n_actions,
                  avail_at(slot, t) + i * layout_.mask_bytes);
    if (s.state_dim == 0) return;
    const std::int64_t lossy_state =
        encode(s.state_storage, point.state, s.state_dim, state_at(slot, t));
    if (lossy_state >= 0) refuse_lossy("state", point.state[lossy_state], s.state_storage);
}

template <typename Action>
void EpisodeRing::write_step(std::int64_t slot, std::int64_t t, const Action* actions, float reward,
                             bool terminated) {
    const EpisodeSpec& s = layout_.spec;
    for (std::int64_t i = 0; i < s.n_agents; ++i) {
        const std::int64_t taken = actions[i];
        if (taken < 0 || taken >= s.n_actions)
            throw std::invalid_argument("actions: agent " + std::to_string(i) + " took " +
                                        std::to_string(taken) + ", expected 0 to " +
                                        std::to_string(s.n_actions - 1));
        std::byte* to = at(slot, layout_.actions + (t * s.n_agents + i) * layout_.action_bytes);
        const auto action = static_cast<std::uint16_t>(taken);
        if (layout_.action_bytes == 1)
            *to = static_cast<std::byte>(action);
        else
            std::memcpy(to, &action, sizeof action);
    }
    std::memcpy(at(slot, layout_.rewards + t * std::int64_t{sizeof reward}), &reward,
                sizeof reward);
    *at(slot, layout_.terminated + t) = static_cast<std::byte>(terminated);
    set_length(slot, static_cast<std::uint32_t>(t + 1));
}

template void EpisodeRing::write_step(std::int64_t, std::int64_t, const std::int64_t*, float, bool);
template void EpisodeRing::write_step(std::int64_t, std::int64_t, const std::uint8_t*, float, bool);

void EpisodeRing::pin_uniform(int sampler, std::int64_t batch, std::mt19937_64& random,
                              std::vector<std::int64_t>& slots) {
    // Fisher-Yates over the touched slots, stopped early; those that cannot be pinned are passed
    // over.
    std::vector<std::uint32_t> order(static_cast<std::size_t>(control_.touched()));
    std::iota(order.begin(), order.end(), 0u);
    for (std::size_t drawn = 0;
         drawn < order.size() && static_cast<std::int64_t>(slots.size()) < batch; ++drawn) {
        const std::uint64_t other = drawn + uniform_below(random, order.size() - drawn);
        std::swap(order[drawn], order[other]);
        if (control_.pin(order[drawn], sampler)) slots.push_back(order[drawn]);
    }
}

void EpisodeRing::decode_episode(std::int64_t slot, std::int64_t b, const BatchOut& out) const {
    const EpisodeSpec& s = layout_.spec;
    const std::int64_t steps = length(slot), points = steps + 1;
    const std::int64_t n = s.n_agents, width = n * s.obs_dim;

    float* obs = out.obs + b * (out.steps + 1) * width;
    decode(s.obs_storage, at(slot, layout_.obs), points * width, obs);
    std::fill(obs + points * width, obs + (out.steps + 1) * width, 0.0f);

    bool* avail = out.avail + b * (out.steps + 1) * n * s.n_actions;
    for (std::int64_t row = 0; row < points * n; ++row)
        unpack_bits(at(slot, layout_.avail + row * layout_.mask_bytes), s.n_actions,
                    avail + row * s.n_actions);
    std::fill(avail + points * n * s.n_actions, avail + (out.steps + 1) * n * s.n_actions, false);

    if (s.state_dim > 0) {
        float* state = out.state + b * (out.steps + 1) * s.state_dim;
        decode(s.state_storage, at(slot, layout_.state), points * s.state_dim, state);
        std::fill(state + points * s.state_dim, state + (out.steps + 1) * s.state_dim, 0.0f);
    }

    std::int64_t* actions = out.actions + b * out.steps * n;
    for (std::int64_t k = 0; k < steps * n; ++k) {
        std::uint16_t action = 0;
        std::memcpy(&action, at(slot, layout_.actions + k * layout_.action_bytes),
                    static_cast<std::size_t>(layout_.action_bytes));
        actions[k] = action;
    }
    std::fill(actions + steps * n, actions + out.steps * n, std::int64_t{0});

    float* rewards = out.rewards + b * out.steps;
    std::memcpy(rewards, at(slot, layout_.rewards),
                static_cast<std::size_t>(steps) * sizeof(float));
    std::fill(rewards + steps, rewards + out.steps, 0.0f);

    bool* terminated = out.terminated + b * out.steps;
    for (std::int64_t t = 0; t < steps; ++t)
        terminated[t] = *at(slot, layout_.terminated + t) != std::byte{0};
    std::fill(terminated + steps, terminated + out.steps, false);
}

}  // namespace pyqmix
