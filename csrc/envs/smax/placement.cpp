#include "envs/smax/placement.h"

#include <array>
#include <cmath>
#include <cstdint>

namespace pyqmix {
namespace {

using threefry::Key;
using threefry::split;
using threefry::uniform;

constexpr float kCentre = kMapSize / 2;
constexpr float kNoise = 2.0f;  // cells in each direction

struct Place {
    float x = 0.0f, y = 0.0f;
};

// Element `index` of the noise (n, 2).
Place noise(Key key, int index) {
    const auto first = static_cast<std::uint32_t>(2 * index);
    return {uniform(key, first, -kNoise, kNoise), uniform(key, first + 1, -kNoise, kNoise)};
}

void put(Units& units, int i, Place place) {
    units.x[static_cast<std::size_t>(i)] = place.x;
    units.y[static_cast<std::size_t>(i)] = place.y;
}

// Element `index` of jax.random.categorical over equal logits: the largest Gumbel variable, the
// first of equal ones. Logarithms are rounded from double precision; where XLA's differ in the last
// bit, a tie can fall the other way.
int equal_categorical(Key key, int index, int choices) {
    const float smallest = 1.17549435e-38f;  // of normal float32
    const auto logit = static_cast<float>(std::log(static_cast<double>(1.0f / choices)));
    int best = 0;
    float highest = 0.0f;
    for (int choice = 0; choice < choices; ++choice) {
        const auto at = static_cast<std::uint32_t>(index * choices + choice);
        const float drawn = uniform(key, at, smallest, 1.0f);
        const auto inner = static_cast<float>(-std::log(static_cast<double>(drawn)));
        const float value = static_cast<float>(-std::log(static_cast<double>(inner))) + logit;
        if (choice == 0 || value > highest) highest = value, best = choice;
    }
    return best;
}

void place_in_rows(Units& units, Key allies, Key enemies) {
    for (int i = 0; i < units.count; ++i) {
        const bool ally = units.is_ally(i);
        const Place by = ally ? noise(allies, i) : noise(enemies, i - units.allies);
        put(units, i, {(ally ? 1 : 3) * kMapSize / 4 + by.x, kCentre + by.y});
    }
}

// One team stands in the centre, the other in up to four groups between the centre and the corners.
void place_around(Units& units, Key key, bool allies_inside) {
    const UnitSet inside = units.team(allies_inside);
    const Key centre_key = split(key, 1), after_centre = split(key, 0);
    const Key group_key = split(after_centre, 1), after_groups = split(after_centre, 0);
    const Key way_key = split(after_groups, 1), outside_key = split(split(after_groups, 0), 1);
    constexpr int kGroups = 4;
    std::array<Place, kGroups> groups;
    for (int group = 0; group < kGroups; ++group) {
        const Place corner{group / 2 * kMapSize, group % 2 * kMapSize};
        const float way = uniform(way_key, static_cast<std::uint32_t>(group), 0.0f, 1.0f);
        groups[static_cast<std::size_t>(group)] = {way * kCentre + (1.0f - way) * corner.x,
                                                   way * kCentre + (1.0f - way) * corner.y};
    }
    int placed_inside = 0, placed_outside = 0;
    for (int i = 0; i < units.count; ++i) {
        if (inside >> i & 1) {
            const Place by = noise(centre_key, placed_inside++);
            put(units, i, {kCentre + by.x, kCentre + by.y});
        } else {
            const int group = equal_categorical(group_key, placed_outside, kGroups);
            const Place by = noise(outside_key, placed_outside++);
            const Place at = groups[static_cast<std::size_t>(group)];
            put(units, i, {at.x + by.x, at.y + by.y});
        }
    }
}

// Allies stand anywhere in their half, enemies where the allies' mirror images are.
void place_mirrored(Units& units, Key key) {
    const Key ally_key = split(key, 1);
    for (int i = 0; i < units.allies; ++i) {
        const auto at = static_cast<std::uint32_t>(2 * i);
        const Place place{uniform(ally_key, at, 0.0f, kMapSize / 2),
                          uniform(ally_key, at + 1, 0.0f, kMapSize)};
        put(units, i, place);
        put(units, units.allies + i, {kMapSize - place.x, place.y});
    }
}

void place_at_random(Units& units, Key key) {
    const Key draw = split(key, 0), surround = split(key, 1), reflect = split(key, 2);
    if (!(uniform(draw) < 0.5f)) return place_mirrored(units, reflect);
    const Key side = split(surround, 0);  // also drawn from
    const bool allies_inside = threefry::bits(split(side, 1)) & 1;
    place_around(units, split(surround, allies_inside ? 1 : 2), allies_inside);
}

void draw_types(Units& units, Key key) {
    const Key ally_key = split(key, 1);
    for (int i = 0; i < units.allies; ++i) {
        const auto k = static_cast<std::size_t>(i);
        const auto mirror = static_cast<std::size_t>(units.allies + i);
        units.type[k] = units.type[mirror] =
            static_cast<std::uint8_t>(equal_categorical(ally_key, i, kUnitTypes));
    }
}

}  // namespace

Units placed_units(const SmaxScenario& scenario, Key key) {
    Units units;
    units.allies = scenario.allies;
    units.count = scenario.units();
    units.alive = first_units(units.count);
    for (std::size_t i = 0; i < scenario.types.size(); ++i) units.type[i] = scenario.types[i];
    const Key after_rows = split(key, 0);
    if (scenario.random) {
        place_at_random(units, split(after_rows, 1));
        draw_types(units, split(split(after_rows, 0), 1));
    } else {
        place_in_rows(units, split(key, 1), split(key, 2));
    }
    for (int i = 0; i < units.count; ++i) {
        const auto k = static_cast<std::size_t>(i);
        units.health[k] = units.of(i).health;
        units.radius[k] = units.of(i).radius;
        units.action[k] = kStop;
    }
    return units;
}

}  // namespace pyqmix
