// Where each field of an episode lies in its slot, and how it is stored.
//
// An episode of L steps has L + 1 observations, availability masks and states (the last ones are
// the o', s' of its last step) and L joint actions, rewards and terminated flags. Values are kept
// in the narrowest type that holds them exactly: a write that would lose anything is refused.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

namespace pyqmix {

enum class Storage : std::uint8_t { int8, uint8, int16, float32 };

inline std::int64_t size_of(Storage type) {
    switch (type) {
        case Storage::int8:
        case Storage::uint8:
            return 1;
        case Storage::int16:
            return 2;
        default:
            return 4;
    }
}

inline const char* storage_name(Storage type) {
    static constexpr const char* kNames[] = {"int8", "uint8", "int16", "float32"};
    return kNames[static_cast<int>(type)];
}

// What an episode looks like; sizes are counts of elements.
struct EpisodeSpec {
    std::int64_t n_agents = 0;
    std::int64_t n_actions = 0;
    std::int64_t obs_dim = 0;
    std::int64_t state_dim = 0;  // 0: the state is the concatenated observations, and is not stored
    std::int64_t episode_limit = 0;
    Storage obs_storage = Storage::float32;
    Storage state_storage = Storage::float32;

    bool operator==(const EpisodeSpec&) const = default;
};

// Multiplies and adds sizes; throws std::overflow_error where int64 does not hold the result.
inline std::int64_t checked_mul(std::int64_t a, std::int64_t b) {
    std::int64_t out;
    if (__builtin_mul_overflow(a, b, &out)) throw std::overflow_error("episode sizes overflow");
    return out;
}
inline std::int64_t checked_add(std::int64_t a, std::int64_t b) {
    std::int64_t out;
    if (__builtin_add_overflow(a, b, &out)) throw std::overflow_error("episode sizes overflow");
    return out;
}

// Offsets in bytes from the start of a slot; `bytes` is a slot's size, a multiple of a cache line.
struct EpisodeLayout {
    static constexpr std::int64_t kLine = 64;

    EpisodeSpec spec;
    std::int64_t mask_bytes = 0;  // of one agent's availability bits
    std::int64_t action_bytes = 0;
    std::int64_t length = 0, obs = 0, avail = 0, state = 0, actions = 0, rewards = 0,
                 terminated = 0;
    std::int64_t bytes = 0;

    explicit EpisodeLayout(const EpisodeSpec& s) : spec(s) {
        if (s.n_agents < 1 || s.n_actions < 1 || s.obs_dim < 1 || s.state_dim < 0 ||
            s.episode_limit < 1)
            throw std::invalid_argument("episode sizes must be positive");
        if (s.n_actions > std::numeric_limits<std::uint16_t>::max() + std::int64_t{1})
            throw std::invalid_argument("n_actions: at most 65536");
        mask_bytes = (s.n_actions + 7) / 8;
        action_bytes = s.n_actions <= 256 ? 1 : 2;
        const std::int64_t steps = s.episode_limit, points = checked_add(steps, 1);
        length = take(sizeof(std::uint32_t));
        obs = take(checked_mul(checked_mul(points, s.n_agents),
                               checked_mul(s.obs_dim, size_of(s.obs_storage))));
        avail = take(checked_mul(checked_mul(points, s.n_agents), mask_bytes));
        state = take(checked_mul(checked_mul(points, s.state_dim), size_of(s.state_storage)));
        actions = take(checked_mul(checked_mul(steps, s.n_agents), action_bytes));
        rewards = take(checked_mul(steps, sizeof(float)));
        terminated = take(steps);
    }

   private:
    std::int64_t take(std::int64_t size) {
        const std::int64_t offset = bytes;
        bytes = checked_add(bytes, checked_mul(checked_add(size, kLine - 1) / kLine, kLine));
        return offset;
    }
};

// Writes `count` floats in a storage type. Returns the index of the first value that it cannot hold
// exactly, or -1.
inline std::int64_t encode(Storage type, const float* from, std::int64_t count, std::byte* to) {
    const auto narrow = [&](auto* out) -> std::int64_t {
        using Out = std::remove_pointer_t<decltype(out)>;
        for (std::int64_t i = 0; i < count; ++i) {
            const float low = std::numeric_limits<Out>::min();
            const float high = std::numeric_limits<Out>::max();
            if (!(from[i] >= low && from[i] <= high)) return i;
            out[i] = static_cast<Out>(from[i]);
            if (static_cast<float>(out[i]) != from[i]) return i;
        }
        return -1;
    };
    switch (type) {
        case Storage::int8:
            return narrow(reinterpret_cast<std::int8_t*>(to));
        case Storage::uint8:
            return narrow(reinterpret_cast<std::uint8_t*>(to));
        case Storage::int16:
            return narrow(reinterpret_cast<std::int16_t*>(to));
        default:
            std::memcpy(to, from, count * sizeof(float));
            return -1;
    }
}

inline void decode(Storage type, const std::byte* from, std::int64_t count, float* to) {
    const auto widen = [&](const auto* in) {
        for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(in[i]);
    };
    switch (type) {
        case Storage::int8:
            return widen(reinterpret_cast<const std::int8_t*>(from));
        case Storage::uint8:
            return widen(reinterpret_cast<const std::uint8_t*>(from));
        case Storage::int16:
            return widen(reinterpret_cast<const std::int16_t*>(from));
        default:
            std::memcpy(to, from, count * sizeof(float));
    }
}

}  // namespace pyqmix
