#include "envs/smax/view.h"

#include <algorithm>

#include "base/simd_dispatch.h"

namespace pyqmix {

void write_observations(const Units& units, float* out, std::int64_t stride) {
    PYQMIX_AT_SIMD_LEVEL(observe_units, units, out, stride);
}

void write_state(const Units& units, float* out) {
    float* const teams = out + kOwnFeatures * units.count;
    float* const types = teams + units.count;
    for (int i = 0; i < units.count; ++i, out += kOwnFeatures) {
        const auto k = static_cast<std::size_t>(i);
        teams[i] = units.is_ally(i) ? 0.0f : 1.0f;
        types[i] = units.type[k];
        std::fill_n(out, kOwnFeatures, 0.0f);
        if (!(units.alive >> i & 1)) continue;
        out[0] = units.health[k] / units.of(i).health;
        out[1] = units.x[k];
        out[2] = units.y[k];
        out[3] = units.cooldown[k];
        out[4 + units.type[k]] = 1.0f;
    }
}

}  // namespace pyqmix
