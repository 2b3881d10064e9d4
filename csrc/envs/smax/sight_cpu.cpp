#include <algorithm>
#include <cstring>

#include "envs/smax/kernels.h"
#include "envs/smax/lanes.h"
#include "envs/smax/range.h"
#include "envs/smax/sight.h"

namespace pyqmix::PYQMIX_SIMD_NAMESPACE {
namespace {

// A unit's features as every other one sees them, apart from its place; in a row that may be copied
// whole, with zeros behind the features.
constexpr int kRow = 16;
static_assert(kUnitFeatures <= kRow && kRow <= kUnitFeatures + kOwnFeatures);

void write_row(const Units& units, int i, float* row) {
    const auto k = static_cast<std::size_t>(i);
    const auto [dx, dy] = movement_of(units.action[k]);
    std::fill_n(row, kRow, 0.0f);
    row[0] = units.health[k] / units.of(i).health;
    row[3] = dx;
    row[4] = dy;
    row[5] = attack_feature(units, i);
    row[6] = cooldown_feature(units, i);
    row[7 + units.type[k]] = 1.0f;
}

}  // namespace

void observe_units(const Units& units, float* out, std::int64_t stride) {
    alignas(64) std::array<float, Units::kMost> x, y;
    alignas(64) std::array<float, Units::kMost * kRow> rows;
    constexpr std::array<float, kRow> kUnseen{};
    each_unit(units.alive, [&](int i) { write_row(units, i, &rows[std::size_t(i) * kRow]); });
    const std::int64_t own = std::int64_t{units.count - 1} * kUnitFeatures;
    for (int i = 0; i < units.allies; ++i, out += stride) {
        if (!(units.alive >> i & 1)) {
            std::fill_n(out, own + kOwnFeatures, 0.0f);
            continue;
        }
        const auto k = static_cast<std::size_t>(i);
        const float per_sight = 1.0f / units.of(i).sight_range;
        for (std::size_t lane = 0; lane < static_cast<std::size_t>(units.count); lane += kLanes) {
            store(&x[lane], (load(&units.x[lane]) - units.x[k]) * per_sight);
            store(&y[lane], (load(&units.y[lane]) - units.y[k]) * per_sight);
        }
        const UnitSet visible = within(units, i, kSquaredRanges[units.type[k]].sight) & units.alive;
        // A row reaches beyond its features, and the next one overwrites that.
        float* to = out;
        for (int other = 0; other < units.count; ++other) {
            if (other == i) continue;
            const auto o = static_cast<std::size_t>(other);
            const bool seen = visible >> other & 1;
            std::memcpy(to, seen ? &rows[o * kRow] : kUnseen.data(), sizeof kUnseen);
            if (seen) to[1] = x[o], to[2] = y[o];
            to += kUnitFeatures;
        }
        write_own(units, i, to);
    }
}

}  // namespace pyqmix::PYQMIX_SIMD_NAMESPACE
