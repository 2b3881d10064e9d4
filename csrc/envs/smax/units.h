// All units of a battle at one point in time.
#pragma once

#include <array>
#include <cstdint>

#include "envs/smax/own_code.h"
#include "envs/smax/scenario.h"

namespace pyqmix {

using UnitSet = std::uint64_t;  // bit i: unit i

PYQMIX_OWN_CODE constexpr UnitSet first_units(int count) {
    return count >= 64 ? ~UnitSet{0} : (UnitSet{1} << count) - 1;
}
PYQMIX_OWN_CODE constexpr UnitSet only_unit(int i) { return UnitSet{1} << i; }

// Allies stand first. Lanes behind the last unit hold zeros.
struct alignas(64) Units {
    static constexpr int kMost = 64;

    std::array<float, kMost> x{}, y{};    // cells
    std::array<float, kMost> health{};    // 0: dead
    std::array<float, kMost> cooldown{};  // seconds until the next attack; falls below 0
    std::array<std::uint8_t, kMost> type{};
    std::array<float, kMost> radius{};         // of the type
    std::array<std::uint8_t, kMost> action{};  // of the last step; kStop before the first
    UnitSet alive = 0;
    int allies = 0, count = 0;

    PYQMIX_OWN_CODE int enemies() const { return count - allies; }
    PYQMIX_OWN_CODE bool is_ally(int i) const { return i < allies; }
    PYQMIX_OWN_CODE const UnitType& of(int i) const {
        return kUnits[type[static_cast<std::size_t>(i)]];
    }
    PYQMIX_OWN_CODE UnitSet team(bool of_allies) const {
        return of_allies ? first_units(allies) : first_units(count) & ~first_units(allies);
    }
    // How many actions unit i has.
    PYQMIX_OWN_CODE int actions_of(int i) const {
        return kFirstAttack + (is_ally(i) ? enemies() : allies);
    }
    // The unit that unit i's attack `k` strikes, 0 being the first: each team numbers the other
    // from the units that stand next to it in the list, so enemies count allies backwards.
    PYQMIX_OWN_CODE int target(int i, int k) const {
        return is_ally(i) ? allies + k : allies - 1 - k;
    }
};

}  // namespace pyqmix
