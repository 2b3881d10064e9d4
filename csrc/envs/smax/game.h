// SMAX (Rutherford et al., arXiv:2311.10090) against its heuristic enemy as a native game: bit for
// bit what jaxmarl 0.2.0's HeuristicEnemySMAX does where XLA does not contract to fused
// multiply-adds, its oddities included.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "envs/native_env.h"
#include "envs/smax/kernels.h"
#include "envs/smax/scenario.h"
#include "envs/smax/snapshot.h"
#include "envs/smax/threefry.h"
#include "envs/smax/units.h"
#include "envs/smax/view.h"

namespace pyqmix {

class SmaxGame {
   public:
    // The original reads its limit before it counts the step, so that its episodes of max_steps 100
    // have up to 101 steps: `most_steps`.
    explicit SmaxGame(const SmaxScenario& scenario, int most_steps);

    const SmaxScenario& scenario() const { return scenario_; }
    const Units& units() const { return units_; }
    const HeuristicTeam& enemy() const { return enemy_; }
    int steps() const { return steps_; }

    EpisodeSpec spec() const;
    // The episode of JAX's key (seed >> 32, seed & 0xffffffff): `key, sub = split(key)` gives the
    // key of the reset and of each step of the environment, which itself splits off one for a
    // reset.
    void start(std::uint64_t seed);
    void step(const std::uint8_t* actions);
    // The original's reset(key) and step_env(key, ...).
    void reset(threefry::Key key);
    void step_with(threefry::Key key, const std::uint8_t* actions);
    // Goes on from a given point in time; the number of steps stays.
    void force(const Units& units, const HeuristicTeam& enemy);

    ActionMask available(int i) const { return available_[static_cast<std::size_t>(i)]; }
    std::span<const double> rewards() const { return {&reward_, 1}; }
    bool finished() const { return allies_lost() || enemies_lost(); }
    bool at_step_limit() const { return steps_ >= most_steps_; }
    // Whether the enemies alone are dead; a battle that nobody survives is a draw.
    bool won() const { return enemies_lost() && !allies_lost(); }

    template <typename T>
    void observe(T* out, std::int64_t stride) const {
        if constexpr (std::same_as<T, float>)
            write_observations(units_, out, stride);
        else
            throw std::logic_error("observations are float32");
    }
    template <typename T>
    void state(T* out) const {
        if constexpr (std::same_as<T, float>)
            write_state(units_, out);
        else
            throw std::logic_error("the state is float32");
    }
    static constexpr Snapshot kSnapshot = Snapshot::smax;
    void snapshot(std::byte* out) const { write_snapshot(units_, out); }
    std::vector<float> obs_scale() const;
    std::vector<float> state_scale() const;

    // The enemy's heuristic as a player of the allies: its actions, (n). It remembers its targets
    // from step to step, so it is asked once in each.
    void heuristic_actions(threefry::Key key, std::uint8_t* out);

   private:
    bool allies_lost() const { return (units_.alive & units_.team(true)) == 0; }
    bool enemies_lost() const { return (units_.alive & units_.team(false)) == 0; }
    void find_available();
    double reward_since(const std::array<float, Units::kMost>& before) const;  // health

    SmaxScenario scenario_;
    int most_steps_;
    Units units_;
    HeuristicTeam enemy_, allied_;
    threefry::Key key_;
    std::array<ActionMask, Units::kMost> available_{};
    double reward_ = 0.0;
    int steps_ = 0;
    bool started_ = false;
};

static_assert(ReportsWins<SmaxGame>);
static_assert(SnapshotGame<SmaxGame>);

}  // namespace pyqmix
