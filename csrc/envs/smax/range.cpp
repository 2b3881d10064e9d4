#include "envs/smax/range.h"

#include <cmath>
#include <limits>

namespace pyqmix {
namespace {

float squared_range(float range) {
    float bound = range * range;
    while (std::sqrt(bound) >= range) bound = std::nextafter(bound, 0.0f);
    return std::nextafter(bound, std::numeric_limits<float>::infinity());
}

}  // namespace

const std::array<SquaredRanges, kUnitTypes> kSquaredRanges = [] {
    std::array<SquaredRanges, kUnitTypes> ranges;
    for (std::size_t type = 0; type < kUnits.size(); ++type)
        ranges[type] = {squared_range(kUnits[type].attack_range),
                        squared_range(kUnits[type].sight_range)};
    return ranges;
}();

}  // namespace pyqmix
