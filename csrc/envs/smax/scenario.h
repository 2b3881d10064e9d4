// The units and the maps of SMAX (Rutherford et al., arXiv:2311.10090), with jaxmarl 0.2.0's
// numbers.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace pyqmix {

struct UnitType {
    float velocity;                           // cells a second
    float attack;                             // health that a hit takes
    float attack_range, sight_range, radius;  // cells
    float health;
    float cooldown;  // seconds between attacks
};

// marine, marauder, stalker, zealot, zergling, hydralisk
inline constexpr int kUnitTypes = 6;
inline constexpr std::array<UnitType, kUnitTypes> kUnits{{
    {3.15f, 9.0f, 5.0f, 9.0f, 0.375f, 45.0f, 0.61f},
    {2.25f, 10.0f, 6.0f, 10.0f, 0.5625f, 125.0f, 1.07f},
    {4.13f, 13.0f, 6.0f, 10.0f, 0.625f, 160.0f, 1.87f},
    {3.15f, 8.0f, 2.0f, 9.0f, 0.5f, 150.0f, 0.86f},
    {4.13f, 5.0f, 2.0f, 8.0f, 0.375f, 35.0f, 0.5f},
    {3.15f, 12.0f, 5.0f, 9.0f, 0.625f, 80.0f, 0.59f},
}};

inline constexpr float kMapSize = 32.0f;  // cells in each direction
inline constexpr float kTickSeconds = 1.0f / 16.0f;
inline constexpr int kTicksPerStep = 8;
inline constexpr int kMoves = 4;      // actions 0 to 3: up, right, down, left
inline constexpr int kStop = kMoves;  // the only action of the dead
inline constexpr int kFirstAttack = kStop + 1;

struct SmaxScenario {
    std::string name;
    int allies = 0;
    std::vector<std::uint8_t> types;  // of allies, then of enemies
    bool random = false;  // each episode draws types and places, as SMACv2 does (arXiv:2212.07489)

    int units() const { return static_cast<int>(types.size()); }
    int enemies() const { return units() - allies; }
};

// Throws std::invalid_argument if there is no such map.
const SmaxScenario& smax_scenario(const std::string& name);
std::vector<std::string> smax_scenarios();

}  // namespace pyqmix
