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
    std::array<float, Units::kMost> dx, dy;         // of a tick
    std::array<std::uint8_t, Units::kMost> target;  // of those that attack
    UnitSet attackers = 0;
};

Orders orders_of(const Units& units) {
    Orders orders;
    for (std::size_t lane = 0; lane < static_cast<std::size_t>(units.count); lane += kLanes) {
        store(&orders.dx[lane], Floats{});
        store(&orders.dy[lane], Floats{});
    }
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
    // Ticks are asked for in ascending order, each at most once. The chain moves on early, since
    // the processor does that while it computes what follows.
    threefry::Key of(int tick) {
        for (; made_ < tick; ++made_) chain_ = threefry::split(chain_, 0);
        const threefry::Key key = threefry::split(chain_, 1);
        chain_ = threefry::split(chain_, 0);
        ++made_;
        return key;
    }

   private:
    threefry::Key chain_;
    int made_ = 0;
};

// Attackers whose weapon is ready and whose living target is near enough, at the tick's start.
UnitSet strikers(const Units& units, const Orders& orders) {
    const UnitSet loading = units_where(0, units.count, [&](std::size_t lane) {
        return below(Floats{}, load(&units.cooldown[lane]));
    });
    UnitSet set = orders.attackers & units.alive & ~loading;
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
    const Floats zero{}, size = all(kMapSize);
    const UnitSet inside = units_where(0, units.count, [&](std::size_t lane) {
        const Floats x = load(&units.x[lane]), y = load(&units.y[lane]);
        return below(zero, x) & below(zero, y) & below(x, size) & below(y, size);
    });
    each_unit(units.alive & ~inside,
              [&](int i) { units.health[static_cast<std::size_t>(i)] = 0.0f; });
    const UnitSet living = units_where(
        0, units.count, [&](std::size_t lane) { return below(zero, load(&units.health[lane])); });
    each_unit(units.alive & ~living, [&](int i) {
        orders.dx[static_cast<std::size_t>(i)] = orders.dy[static_cast<std::size_t>(i)] = 0.0f;
    });
    units.alive &= living;
}

}  // namespace

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
