#include <algorithm>
#include <bit>
#include <cmath>

#include "envs/smax/kernels.h"
#include "envs/smax/lanes.h"
#include "envs/smax/range.h"
#include "envs/smax/sight.h"

namespace pyqmix::PYQMIX_SIMD_NAMESPACE {
namespace {

// A step's actions as each of its ticks executes them.
struct alignas(64) Orders {
    std::array<float, Units::kMost> dx{}, dy{};       // of a tick
    std::array<std::uint8_t, Units::kMost> target{};  // of those that attack
    UnitSet attackers = 0;
};

Orders orders_of(const Units& units) {
    Orders orders;
    each_unit(units.alive, [&](int i) {
        const auto k = static_cast<std::size_t>(i);
        const int action = units.action[k];
        if (action >= kFirstAttack) {
            orders.attackers |= only_unit(i);
            orders.target[k] = static_cast<std::uint8_t>(units.target(i, action - kFirstAttack));
        } else {
            const auto [dx, dy] = movement_of(action);
            orders.dx[k] = dx * units.of(i).velocity * kTickSeconds;
            orders.dy[k] = dy * units.of(i).velocity * kTickSeconds;
        }
    });
    return orders;
}

// The keys of a step's ticks, made when a tick needs them: most need none.
class TickKeys {
   public:
    explicit TickKeys(threefry::Key key) : chain_(key) {}
    threefry::Key of(int tick) {
        for (; made_ < tick; ++made_) chain_ = threefry::split(chain_, 0);
        return threefry::split(chain_, 1);
    }

   private:
    threefry::Key chain_;
    int made_ = 0;
};

// Attackers whose weapon is ready and whose living target is near enough, at the tick's start.
UnitSet strikers(const Units& units, const Orders& orders) {
    UnitSet set = units_where(0, units.count, [&](int lane) -> Flags {
        return load(&units.cooldown[static_cast<std::size_t>(lane)]) <= 0.0f;
    });
    set &= orders.attackers & units.alive;
    each_unit(set, [&](int i) {
        const auto k = static_cast<std::size_t>(i), target = std::size_t{orders.target[k]};
        const float dx = units.x[k] - units.x[target], dy = units.y[k] - units.y[target];
        const bool near = dx * dx + dy * dy < kSquaredRanges[units.type[k]].attack;
        if (!near || !(units.alive >> target & 1)) set &= ~only_unit(i);
    });
    return set;
}

// Moves units and lets all cooldowns fall.
void move(Units& units, const Orders& orders) {
    const Floats zero{}, size = zero + kMapSize;
    const auto clip = [&](std::array<float, Units::kMost>& at,
                          const std::array<float, Units::kMost>& by, std::size_t lane) {
        Floats to = load(&at[lane]) + load(&by[lane]);
        to = to < size ? to : size;
        store(&at[lane], to > zero ? to : zero);
    };
    for (std::size_t lane = 0; lane < static_cast<std::size_t>(units.count); lane += kLanes) {
        clip(units.x, orders.dx, lane);
        clip(units.y, orders.dy, lane);
        store(&units.cooldown[lane], load(&units.cooldown[lane]) - kTickSeconds);
    }
}

// Units hit at the same time, with the cooldowns that they had before the tick.
void strike(Units& units, const Orders& orders, UnitSet set, threefry::Key key,
            const std::array<float, Units::kMost>& cooldown) {
    each_unit(set, [&](int i) {
        const auto k = static_cast<std::size_t>(i), target = std::size_t{orders.target[k]};
        const UnitType& type = units.of(i);
        const threefry::Key own = threefry::split(key, static_cast<std::uint32_t>(i));
        const float next =
            type.cooldown + threefry::uniform(own, 0, -kTickSeconds, 2 * kTickSeconds);
        units.cooldown[k] = cooldown[k] + (next - cooldown[k]);
        units.health[target] = std::max(units.health[target] - type.attack, 0.0f);
    });
}

// Units die at the border, and where no health is left.
void bury(Units& units, Orders& orders) {
    const Floats zero{};
    const UnitSet outside = units_where(0, units.count, [&](int lane) -> Flags {
        const Floats x = load(&units.x[static_cast<std::size_t>(lane)]);
        const Floats y = load(&units.y[static_cast<std::size_t>(lane)]);
        return (x <= zero) | (y <= zero) | (x >= kMapSize) | (y >= kMapSize);
    });
    each_unit(outside & units.alive,
              [&](int i) { units.health[static_cast<std::size_t>(i)] = 0.0f; });
    const UnitSet living = units_where(0, units.count, [&](int lane) -> Flags {
        return load(&units.health[static_cast<std::size_t>(lane)]) > zero;
    });
    each_unit(units.alive & ~living, [&](int i) {
        orders.dx[static_cast<std::size_t>(i)] = orders.dy[static_cast<std::size_t>(i)] = 0.0f;
    });
    units.alive &= living;
}

// The units that may overlap with unit i: a superset, because the test avoids a square root.
UnitSet maybe_touching(const Units& units, int i) {
    const auto k = static_cast<std::size_t>(i);
    const float x = units.x[k], y = units.y[k], radius = units.radius[k];
    return units_where(i, units.count, [&](int lane) -> Flags {
        const auto at = static_cast<std::size_t>(lane);
        const Floats dx = load(&units.x[at]) - x, dy = load(&units.y[at]) - y;
        const Floats reach = load(&units.radius[at]) + radius;
        return dx * dx + dy * dy < reach * reach * 1.0001f;
    });
}

class Pushes {
   public:
    explicit Pushes(int count) : half_(count > 32 ? (count + 1) / 2 : Units::kMost) {
        for (int part = 0; part < (count > 32 ? 2 : 1); ++part)
            for (auto* sums : {&x_[part], &y_[part]}) std::fill_n(sums->begin(), count, 0.0f);
    }
    void add(const Units& units, int i, int j) {
        const auto a = static_cast<std::size_t>(i), b = static_cast<std::size_t>(j);
        const float dx = units.x[a] - units.x[b], dy = units.y[a] - units.y[b];
        const float distance = std::sqrt(dx * dx + dy * dy) + 1e-6f;
        const float reach = units.radius[a] + units.radius[b];
        const float overlap = std::max(reach / distance - 1.0f, 0.0f);
        x_[j >= half_][a] += dx * overlap;
        y_[j >= half_][a] += dy * overlap;
        x_[i >= half_][b] += -dx * overlap;
        y_[i >= half_][b] += -dy * overlap;
    }
    void apply(Units& units, int i) const {
        const auto k = static_cast<std::size_t>(i);
        const bool two = half_ < Units::kMost;
        units.x[k] += (two ? x_[0][k] + x_[1][k] : x_[0][k]) * 0.5f;
        units.y[k] += (two ? y_[0][k] + y_[1][k] : y_[0][k]) * 0.5f;
    }

   private:
    int half_;
    std::array<float, Units::kMost> x_[2], y_[2];
};

}  // namespace

// Each of two living units that overlap moves by half of the overlap. A pair is visited once; a
// unit adds up its pushes in the order of the other units. XLA adds those of more than 32 units in
// two halves.
void push_apart(Units& units) {
    std::array<UnitSet, Units::kMost> near;  // of the units behind each in the list
    UnitSet pushed = 0;
    each_unit(units.alive, [&](int i) {
        const auto k = static_cast<std::size_t>(i);
        near[k] = maybe_touching(units, i) & units.alive & ~first_units(i + 1);
        if (near[k] != 0) pushed |= near[k] | only_unit(i);
    });
    if (pushed == 0) return;
    Pushes pushes(units.count);
    each_unit(pushed, [&](int i) {
        each_unit(near[static_cast<std::size_t>(i)], [&](int j) { pushes.add(units, i, j); });
    });
    each_unit(pushed, [&](int i) { pushes.apply(units, i); });
}

void fight(Units& units, threefry::Key key) {
    Orders orders = orders_of(units);
    TickKeys keys(key);
    for (int tick = 0; tick < kTicksPerStep; ++tick) {
        const UnitSet striking = orders.attackers == 0 ? 0 : strikers(units, orders);
        if (striking != 0) {
            const std::array<float, Units::kMost> cooldown = units.cooldown;
            move(units, orders);
            strike(units, orders, striking, keys.of(tick), cooldown);
        } else {
            move(units, orders);
        }
        bury(units, orders);
        push_apart(units);
    }
}

UnitSet in_attack_range(const Units& units, int i) {
    const auto type = units.type[static_cast<std::size_t>(i)];
    return within(units, i, kSquaredRanges[type].attack) & units.alive;
}

}  // namespace pyqmix::PYQMIX_SIMD_NAMESPACE
