// Worlds of native games as Python uses them: one interface whatever the game is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bindings/arrays.h"
#include "bindings/exclusive.h"
#include "envs/batch.h"
#include "envs/world.h"
#include "play/world_worker.h"

namespace pyqmix {

// Several worlds of one game, which one thread of Python at a time uses.
class NativeBatch {
   public:
    virtual ~NativeBatch() = default;
    virtual void seed(std::uint64_t seed) = 0;
    virtual void reset(const WorldsToReset& which, const BatchOfWorldsOut& out) = 0;
    virtual void step(const std::uint8_t* actions, const BatchOfWorldsOut& out) = 0;

    InUse in_use;
};

// One world. Its virtual calls are those of Python, which take longer themselves.
class NativeEnv {
   public:
    virtual ~NativeEnv() = default;
    virtual const EpisodeSpec& spec() const = 0;
    virtual const WorldOptions& options() const = 0;
    virtual void start(std::uint64_t seed) = 0;
    virtual void step(const std::uint8_t* actions) = 0;
    virtual void observe(float* out) const = 0;           // (n, O)
    virtual std::int64_t state_width() const = 0;         // of the game's own state, S
    virtual void state(float* out) const = 0;             // (S)
    virtual void avail(bool* out) const = 0;              // (n, A)
    virtual void snapshot(std::byte* out) const = 0;      // where the spec has snapshots
    virtual std::span<const double> rewards() const = 0;  // of each agent, or the team's
    virtual double reward() const = 0;                    // the team's
    virtual bool terminated() const = 0;
    virtual bool truncated() const = 0;
    virtual bool reports_wins() const = 0;
    virtual std::optional<bool> won() const = 0;  // none where the game does not report wins
    virtual std::vector<float> obs_scale() const = 0;
    virtual std::vector<float> state_scale() const = 0;
    virtual std::unique_ptr<NativeBatch> batch(std::int64_t count,
                                               bool individual_rewards) const = 0;
    virtual std::unique_ptr<Rollout> rollout(RolloutParts parts) const = 0;
};

template <NativeGame Game>
class NativeBatchOf final : public NativeBatch {
   public:
    NativeBatchOf(const World<Game>& world, std::int64_t count, bool individual_rewards)
        : worlds_(world, count, individual_rewards) {}
    void seed(std::uint64_t seed) override { worlds_.seed(seed); }
    void reset(const WorldsToReset& which, const BatchOfWorldsOut& out) override {
        worlds_.reset(which, out);
    }
    void step(const std::uint8_t* actions, const BatchOfWorldsOut& out) override {
        worlds_.step(actions, out);
    }

   private:
    BatchOfWorlds<Game> worlds_;
};

template <NativeGame Game>
class NativeEnvOf : public NativeEnv {
   public:
    NativeEnvOf(Game game, const WorldOptions& options)
        : world_(std::move(game), options), state_width_(world_.game().spec().state_dim) {}

    World<Game>& world() { return world_; }
    const World<Game>& world() const { return world_; }

    const EpisodeSpec& spec() const override { return world_.spec(); }
    const WorldOptions& options() const override { return world_.options(); }
    void start(std::uint64_t seed) override { world_.start(seed); }
    void step(const std::uint8_t* actions) override { world_.step(actions); }
    void observe(float* out) const override { world_.observe(out); }
    std::int64_t state_width() const override { return state_width_; }
    void state(float* out) const override { world_.game().state(out); }
    void avail(bool* out) const override { write_avail(world_, out); }
    void snapshot([[maybe_unused]] std::byte* out) const override {
        if constexpr (SnapshotGame<Game>) world_.game().snapshot(out);
    }
    std::span<const double> rewards() const override { return world_.game().rewards(); }
    double reward() const override { return world_.reward(); }
    bool terminated() const override { return world_.terminated(); }
    bool truncated() const override { return world_.truncated(); }
    bool reports_wins() const override { return ReportsWins<Game>; }
    std::optional<bool> won() const override {
        if constexpr (ReportsWins<Game>)
            return world_.won();
        else
            return std::nullopt;
    }
    std::vector<float> obs_scale() const override { return world_.obs_scale(); }
    std::vector<float> state_scale() const override { return world_.game().state_scale(); }
    std::unique_ptr<NativeBatch> batch(std::int64_t count, bool individual_rewards) const override {
        return std::make_unique<NativeBatchOf<Game>>(world_, count, individual_rewards);
    }
    std::unique_ptr<Rollout> rollout(RolloutParts parts) const override {
        return make_rollout(world_, std::move(parts));
    }

   private:
    World<Game> world_;
    std::int64_t state_width_;
};

// Actions of a shape, as bytes. Throws std::invalid_argument unless each is below A.
std::vector<std::uint8_t> checked_actions(const EpisodeSpec& spec, const py::array& actions,
                                          const std::vector<std::int64_t>& shape);

// The options of all worlds, from the names that Python gives.
WorldOptions world_options(bool truncate_at_limit, bool global_state, bool last_action,
                           const std::string& team_reward);

}  // namespace pyqmix
