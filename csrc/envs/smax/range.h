// Whether the distance of two units is below a range, without a square root.
//
// JAX compares the rounded square root of the rounded sum of squares d with the range r. Square
// roots are monotone, so sqrt(d) < r as floats where d lies below the smallest float whose root
// rounds to r or more.
#pragma once

#include <array>

#include "envs/smax/scenario.h"

namespace pyqmix {

struct SquaredRanges {
    float attack = 0.0f, sight = 0.0f;  // those smallest floats
};

// Of each type of unit.
extern const std::array<SquaredRanges, kUnitTypes> kSquaredRanges;

}  // namespace pyqmix
