// The heuristic team: each unit keeps its target, else shoots at the closest one in range, else
// walks to a random one that it sees, else to its start mirrored at the map's centre. It knows
// only its observation, whose positions are those of the map, rounded twice.
#include <cmath>
#include <limits>

#include "envs/smax/kernels.h"
#include "envs/smax/lanes.h"
#include "envs/smax/range.h"

namespace pyqmix::PYQMIX_SIMD_NAMESPACE {
namespace {

// The other team as one unit sees it, by the numbers that its observation gives them.
struct Seen {
    struct Place {
        float x, y;  // from the unit
    };
    std::array<Place, Units::kMost> place;  // of visible ones
    std::array<bool, Units::kMost> visible, in_range;
    int count = 0, visible_count = 0, in_range_count = 0;
};

void look(const Units& units, int i, Seen& seen) {
    const auto k = static_cast<std::size_t>(i);
    const UnitType& type = units.of(i);
    const SquaredRanges& ranges = kSquaredRanges[units.type[k]];
    const float per_sight = 1.0f / type.sight_range;
    const UnitSet visible = within(units, i, ranges.sight) & units.alive;
    seen.count = units.is_ally(i) ? units.enemies() : units.allies;
    seen.visible_count = seen.in_range_count = 0;
    for (int other = 0; other < seen.count; ++other) {
        const int target = units.target(i, other);
        const auto o = static_cast<std::size_t>(other), t = static_cast<std::size_t>(target);
        seen.visible[o] = visible >> target & 1;
        seen.in_range[o] = false;
        if (!seen.visible[o]) continue;
        ++seen.visible_count;
        const float x = (units.x[t] - units.x[k]) * per_sight * type.sight_range;
        const float y = (units.y[t] - units.y[k]) * per_sight * type.sight_range;
        seen.place[o] = {x, y};
        seen.in_range[o] = x * x + y * y < ranges.attack;
        seen.in_range_count += seen.in_range[o];
    }
}

int closest_in_range(const Seen& seen) {
    int closest = 0;
    float least = std::numeric_limits<float>::infinity();
    for (int other = 0; other < seen.count; ++other) {
        const auto o = static_cast<std::size_t>(other);
        if (!seen.in_range[o]) continue;
        const auto [x, y] = seen.place[o];
        const float distance = std::sqrt(x * x + y * y);
        if (distance < least) least = distance, closest = other;
    }
    return closest;
}

// jax.random.choice of a visible unit: the first whose cumulative share reaches a random share of
// the total. Shares are added as XLA adds them, in blocks of 16.
int random_visible(const Seen& seen, threefry::Key key) {
    constexpr int kBlock = 16;
    const float share = 1.0f / static_cast<float>(seen.visible_count);
    std::array<float, Units::kMost> upto;
    float before = 0.0f, within_block = 0.0f;
    for (int other = 0; other < seen.count; ++other) {
        if (other % kBlock == 0 && other > 0) before += within_block, within_block = 0.0f;
        if (seen.visible[static_cast<std::size_t>(other)]) within_block += share;
        upto[static_cast<std::size_t>(other)] = within_block + before;
    }
    const float total = upto[static_cast<std::size_t>(seen.count - 1)];
    const float drawn = total * (1.0f - threefry::uniform(key));
    int low = 0, high = seen.count;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (drawn <= upto[static_cast<std::size_t>(middle)])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

// The move whose direction is closest to (x, y): up, right, down or left.
std::uint8_t move_to(float x, float y) {
    const float along[kMoves] = {y, x, -y, -x};
    std::uint8_t best = 0;
    for (std::uint8_t move = 1; move < kMoves; ++move)
        if (along[move] > along[best]) best = move;
    return best;
}

}  // namespace

void command(HeuristicTeam& team, Units& units, bool allies, threefry::Key key) {
    const int first = allies ? 0 : units.allies;
    Seen seen;
    each_unit(units.alive & units.team(allies), [&](int i) {
        const auto k = static_cast<std::size_t>(i);
        HeuristicTeam::Memory& memory = team.units[k];
        if (memory.target == -1 && memory.x == 0.0f && memory.y == 0.0f) {
            constexpr float kCentre = kMapSize / 2;
            memory.x = -(units.x[k] - kCentre) + kCentre;
            memory.y = -(units.y[k] - kCentre) + kCentre;
        }
        look(units, i, seen);
        if (seen.in_range_count > 0) {
            const bool keeps =
                memory.target != -1 && seen.in_range[static_cast<std::size_t>(memory.target)];
            if (!keeps) memory.target = closest_in_range(seen);
            units.action[k] = static_cast<std::uint8_t>(kFirstAttack + memory.target);
            return;
        }
        memory.target = -1;
        float x = memory.x, y = memory.y;
        if (seen.visible_count > 0) {
            const threefry::Key own = threefry::split(key, static_cast<std::uint32_t>(i - first));
            const auto drawn =
                static_cast<std::size_t>(random_visible(seen, threefry::split(own, 0)));
            x = seen.place[drawn].x + units.x[k];
            y = seen.place[drawn].y + units.y[k];
        }
        units.action[k] = move_to(x - units.x[k], y - units.y[k]);
    });
}

}  // namespace pyqmix::PYQMIX_SIMD_NAMESPACE
