#include "envs/smax/snapshot.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#include "envs/smax/view.h"

namespace pyqmix {
namespace {

using Bytes = std::array<std::uint8_t, Units::kMost>;

constexpr std::int64_t kBytesOfUnit = 3 * sizeof(float) + 3;
// Far above every place and cooldown of a battle; observations of such numbers are finite.
constexpr float kLargest = 1e7f;

// The fields of a snapshot one after another, each of all units, copied from or to arrays.
template <typename Byte, typename Copy>
void each_field(Byte* at, int count, const Copy& copy, auto&... fields) {
    const auto next = [&](auto& field) {
        const std::size_t size = static_cast<std::size_t>(count) * sizeof(field[0]);
        copy(at, field.data(), size);
        at += size;
    };
    (next(fields), ...);
}

Units units_of(const EpisodeSpec& spec) {
    Units units;
    units.allies = static_cast<int>(spec.n_agents);
    units.count = units.allies + static_cast<int>(spec.n_actions) - kFirstAttack;
    return units;
}

// Reads a snapshot; health comes as bytes.
void read(const std::byte* from, Units& to, Bytes& health) {
    const auto copy = [](const std::byte* at, void* field, std::size_t size) {
        std::memcpy(field, at, size);
    };
    each_field(from, to.count, copy, to.x, to.y, to.cooldown, health, to.type, to.action);
}

SnapshotSizes sizes(const EpisodeSpec& spec) {
    if (spec.n_agents < 1 || spec.n_agents >= Units::kMost || spec.n_actions <= kFirstAttack ||
        spec.n_actions > kFirstAttack + Units::kMost - spec.n_agents)
        throw std::invalid_argument("n_agents, n_actions: no battle of smax has these");
    const std::int64_t count = spec.n_agents + spec.n_actions - kFirstAttack;
    if (spec.state_dim != 0 && spec.state_dim != state_dim_of(count))
        throw std::invalid_argument("state_dim: no battle of smax has this");
    return {kBytesOfUnit * count, obs_dim_of(count)};
}

void check(const EpisodeSpec& spec, const std::byte* from, std::int64_t count) {
    Units units = units_of(spec);
    Bytes health;
    const auto fits = [](float value) { return std::abs(value) <= kLargest; };  // NaN does not
    for (std::int64_t point = 0; point < count; ++point, from += kBytesOfUnit * units.count) {
        read(from, units, health);
        for (std::size_t k = 0; k < static_cast<std::size_t>(units.count); ++k)
            if (units.type[k] >= kUnitTypes ||
                units.action[k] >= units.actions_of(static_cast<int>(k)) ||
                health[k] > kUnits[units.type[k]].health || !fits(units.x[k]) ||
                !fits(units.y[k]) || !fits(units.cooldown[k]))
                throw std::invalid_argument("snapshot: unit " + std::to_string(k) +
                                            " is none of smax");
    }
}

void rebuild(const EpisodeSpec& spec, const std::byte* from, std::int64_t count, float* obs,
             float* state) {
    Units units = units_of(spec);
    Bytes health;
    for (std::int64_t point = 0; point < count; ++point, from += kBytesOfUnit * units.count) {
        read(from, units, health);
        units.alive = 0;
        for (int i = 0; i < units.count; ++i) {
            const auto k = static_cast<std::size_t>(i);
            units.health[k] = health[k];
            if (health[k] > 0) units.alive |= only_unit(i);
        }
        write_observations(units, obs, spec.obs_dim);
        obs += spec.n_agents * spec.obs_dim;
        if (spec.state_dim == 0) continue;
        write_state(units, state);
        state += spec.state_dim;
    }
}

}  // namespace

void write_snapshot(const Units& units, std::byte* out) {
    Bytes health;
    for (std::size_t k = 0; k < static_cast<std::size_t>(units.count); ++k) {
        const float value = units.health[k];
        health[k] = value >= 0.0f && value <= 255.0f ? static_cast<std::uint8_t>(value) : 0;
        if (static_cast<float>(health[k]) != value)
            throw std::invalid_argument("health: " + std::to_string(value) +
                                        " cannot be stored exactly as uint8");
    }
    const auto copy = [](std::byte* at, const void* field, std::size_t size) {
        std::memcpy(at, field, size);
    };
    each_field(out, units.count, copy, units.x, units.y, units.cooldown, health, units.type,
               units.action);
}

constinit const SnapshotCodec kSmaxSnapshots{"smax", &sizes, &check, &rebuild};

}  // namespace pyqmix
