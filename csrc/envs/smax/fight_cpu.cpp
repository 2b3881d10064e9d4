#include <algorithm>
#include <bit>
#include <cmath>

#include "envs/smax/kernels.h"
#include "envs/smax/lanes.h"
#include "envs/smax/range.h"
#include "envs/smax/sight.h"

namespace pyqmix::PYQMIX_SIMD_NAMESPACE {
namespace {

// What a step's actions mean in every tick of it.
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

}  // namespace

// Each of two living units that overlap moves by half of the overlap. A pair is visited once; a
// unit adds up its pushes in the order of the other units. XLA adds those of more than 32 units in
// two halves.
void push_apart(Units& units) {
    using Lane = std::array<float, Units::kMost>;
    alignas(64) Lane radius;
    std::array<Lane, 2> sum_x{}, sum_y{};
    const int half = units.count > 32 ? (units.count + 1) / 2 : Units::kMost;
    for (std::size_t i = 0; i < radius.size(); ++i) radius[i] = kUnits[units.type[i]].radius;
    UnitSet pushed = 0;
    each_unit(units.alive, [&](int i) {
        const auto k = static_cast<std::size_t>(i);
        const float x = units.x[k], y = units.y[k], reach = radius[k];
        // The bound is a little too large; the exact test follows.
        UnitSet near = units_where(i, units.count, [&](int lane) -> Flags {
            const auto at = static_cast<std::size_t>(lane);
            const Floats dx = load(&units.x[at]) - x, dy = load(&units.y[at]) - y;
            const Floats sum = load(&radius[at]) + reach;
            return dx * dx + dy * dy < sum * sum * 1.0001f;
        });
        near &= units.alive & ~first_units(i + 1);
        pushed |= near == 0 ? 0 : near | only_unit(i);
        each_unit(near, [&](int other) {
            const auto j = static_cast<std::size_t>(other);
            const float dx = x - units.x[j], dy = y - units.y[j];
            const float distance = std::sqrt(dx * dx + dy * dy) + 1e-6f;
            const float overlap = std::max((reach + radius[j]) / distance - 1.0f, 0.0f);
            const std::size_t of_i = i >= half, of_other = other >= half;
            sum_x[of_other][k] += dx * overlap;
            sum_y[of_other][k] += dy * overlap;
            sum_x[of_i][j] += -dx * overlap;
            sum_y[of_i][j] += -dy * overlap;
        });
    });
    each_unit(pushed, [&](int i) {
        const auto k = static_cast<std::size_t>(i);
        units.x[k] += (sum_x[0][k] + sum_x[1][k]) * 0.5f;
        units.y[k] += (sum_y[0][k] + sum_y[1][k]) * 0.5f;
    });
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
