// Where units stand and which types they have when a battle begins.
#pragma once

#include "envs/smax/scenario.h"
#include "envs/smax/threefry.h"
#include "envs/smax/units.h"

namespace pyqmix {

// What SMAX's reset(key) places; overlaps are not yet resolved.
Units placed_units(const SmaxScenario& scenario, threefry::Key key);

}  // namespace pyqmix
