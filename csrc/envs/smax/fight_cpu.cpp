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

// The keys of a step's ticks, made when a tick needs them.
class TickKeys {
   public:
    explicit TickKeys(threefry::Key key) : chain_(key) {}
    // Ticks are asked for in ascending order, each at most once.
    threefry::Key of(int tick) {
        for (; made_ < tick; ++made_) chain_ = threefry::split(chain_, 0);
        return threefry::split(chain_, 1);
    }

   private:
    threefry::Key chain_;
    int made_ = 0;
};

// The attacks of one step, in the order of their ticks.
struct Shots {
    int count = 0;
    UnitSet units = 0;
    alignas(64) std::array<float, Units::kMost> cooldown;  // before the tick of the attack
    std::array<std::uint8_t, Units::kMost> unit, tick;

    void add(const Units& from, int i, int now) {
        const auto k = static_cast<std::size_t>(i), shot = static_cast<std::size_t>(count++);
        units |= only_unit(i);
        cooldown[shot] = from.cooldown[k];
        unit[shot] = static_cast<std::uint8_t>(i);
        tick[shot] = static_cast<std::uint8_t>(now);
    }
};
// A weapon fires once in a step at most, so that the step can end before its cooldown is drawn.
static_assert(std::ranges::all_of(kUnits, [](const UnitType& type) {
    return type.cooldown - kTickSeconds > (kTicksPerStep - 2) * kTickSeconds;
}));

// Attackers whose weapon is ready and whose living target is near enough, at the tick's start.
UnitSet strikers(const Units& units, const Orders& orders, const Shots& shots) {
    const UnitSet loading = units_where(0, units.count, [&](std::size_t lane) {
        return below(Floats{}, load(&units.cooldown[lane]));
    });
    UnitSet set = orders.attackers & units.alive & ~shots.units & ~loading;
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

// Units hit at the same time.
void strike(Units& units, const Orders& orders, UnitSet set, int tick, Shots& shots) {
    each_unit(set, [&](int i) {
        float& health = units.health[orders.target[static_cast<std::size_t>(i)]];
        health = std::max(health - units.of(i).attack, 0.0f);
        shots.add(units, i, tick);
    });
}

// jax.random.uniform(split(key, index)) in [low, high), in each lane.
Floats uniform(threefry::KeyOf<Words> key, Words index, float low, float high) {
    const threefry::KeyOf<Words> own = threefry::encrypt(key, Words{}, index);
    const threefry::KeyOf<Words> block = threefry::encrypt(own, Words{}, Words{});
    const Words bits = (block.high ^ block.low) >> 9 | 0x3f800000u;
    const Floats value = (std::bit_cast<Floats>(bits) - 1.0f) * (high - low) + low;
    return value > low ? value : all(low);
}

// Draws the cooldowns that weapons have after their attack, and lets them fall to the step's end.
void load_weapons(Units& units, const Shots& shots, threefry::Key key) {
    TickKeys ticks(key);
    threefry::Key of_tick;
    for (int first = 0; first < shots.count; first += kLanes) {
        threefry::KeyOf<Words> keys;
        Words unit{};
        Floats loading{}, later{};
        const int count = std::min(shots.count - first, kLanes);
        for (int lane = 0; lane < count; ++lane) {
            const auto shot = static_cast<std::size_t>(first + lane);
            if (shot == 0 || shots.tick[shot] != shots.tick[shot - 1])
                of_tick = ticks.of(shots.tick[shot]);
            keys.high[lane] = of_tick.high;
            keys.low[lane] = of_tick.low;
            unit[lane] = shots.unit[shot];
            loading[lane] = units.of(shots.unit[shot]).cooldown;
            later[lane] = static_cast<float>(kTicksPerStep - 1 - shots.tick[shot]);
        }
        const Floats next = loading + uniform(keys, unit, -kTickSeconds, 2 * kTickSeconds);
        const Floats before = load(&shots.cooldown[static_cast<std::size_t>(first)]);
        Floats cooldown = before + (next - before);
        for (int tick = 0; tick < kTicksPerStep - 1; ++tick)
            cooldown = later > static_cast<float>(tick) ? cooldown - kTickSeconds : cooldown;
        for (int lane = 0; lane < count; ++lane)
            units.cooldown[shots.unit[static_cast<std::size_t>(first + lane)]] = cooldown[lane];
    }
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
    Shots shots;
    for (int tick = 0; tick < kTicksPerStep; ++tick) {
        if (orders.attackers != 0)
            strike(units, orders, strikers(units, orders, shots), tick, shots);
        move(units, orders);
        bury(units, orders);
        push_apart(units);
    }
    load_weapons(units, shots, key);
}

UnitSet in_attack_range(const Units& units, int i) {
    const auto type = units.type[static_cast<std::size_t>(i)];
    return within(units, i, kSquaredRanges[type].attack) & units.alive;
}

}  // namespace pyqmix::PYQMIX_SIMD_NAMESPACE
