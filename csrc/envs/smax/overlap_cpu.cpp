#include <algorithm>
#include <cmath>
#include <cstring>

#include "envs/smax/kernels.h"
#include "envs/smax/lanes.h"

namespace pyqmix::PYQMIX_SIMD_NAMESPACE {
namespace {

// Whether units overlap: a superset, because the test avoids a square root.
UnitSet maybe_touching(Floats dx, Floats dy, Floats reach) {
    return below(dx * dx + dy * dy, reach * reach * 1.0001f);
}

// Sums of the pushes that each unit gets, (x, y), in one part or in two halves of the other units.
class Pushes {
   public:
    explicit Pushes(int count) : half_(count > 32 ? (count + 1) / 2 : Units::kMost) {}
    void clear(int count) {
        for (int part = 0; part < (count > 32 ? 2 : 1); ++part)
            for (auto* sums : {&x_[part], &y_[part]})
                for (int lane = 0; lane < count; lane += kLanes)
                    store(&(*sums)[static_cast<std::size_t>(lane)], Floats{});
    }
    void add(const Units& units, int i, int j) {
        const auto a = static_cast<std::size_t>(i), b = static_cast<std::size_t>(j);
        const float dx = units.x[a] - units.x[b], dy = units.y[a] - units.y[b];
        const float distance = std::sqrt(dx * dx + dy * dy) + 1e-6f;
        const float reach = units.radius[a] + units.radius[b];
        const float overlap = std::max(reach / distance - 1.0f, 0.0f);
        x_[j >= half_][a] += dx * overlap;
        y_[j >= half_][a] += dy * overlap;
        x_[i >= half_][b] += -dx * overlap;
        y_[i >= half_][b] += -dy * overlap;
    }
    void apply(Units& units, int i) const {
        const auto k = static_cast<std::size_t>(i);
        const bool two = half_ < Units::kMost;
        units.x[k] += (two ? x_[0][k] + x_[1][k] : x_[0][k]) * 0.5f;
        units.y[k] += (two ? y_[0][k] + y_[1][k] : y_[0][k]) * 0.5f;
    }

   private:
    int half_;
    std::array<float, Units::kMost> x_[2], y_[2];
};

// All pairs (i, j) of up to kLanes units, i < j: those of a smaller j first.
struct Pairs {
    static constexpr int kMost = kLanes * (kLanes - 1) / 2;
    static constexpr int kVectors = (kMost + kLanes - 1) / kLanes;
    alignas(64) std::array<std::int32_t, std::size_t{kVectors} * kLanes> i{}, j{};

    constexpr Pairs() {
        std::size_t pair = 0;
        for (int b = 1; b < kLanes; ++b)
            for (int a = 0; a < b; ++a, ++pair) i[pair] = a, j[pair] = b;
    }
};
constexpr Pairs kPairs;

// Calls visit(i, j) for pairs that may overlap, i < j. Every unit meets the others in their order.
template <typename Visit>
void each_touching_pair_of_few(const Units& units, const Visit& visit) {
    const Floats x = load(&units.x[0]), y = load(&units.y[0]), radius = load(&units.radius[0]);
    const int pairs = units.count * (units.count - 1) / 2;
    for (int first = 0; first < pairs; first += kLanes) {
        Indices i, j;
        std::memcpy(&i, &kPairs.i[static_cast<std::size_t>(first)], sizeof i);
        std::memcpy(&j, &kPairs.j[static_cast<std::size_t>(first)], sizeof j);
        const Floats dx = shuffled(x, i) - shuffled(x, j);
        const Floats dy = shuffled(y, i) - shuffled(y, j);
        const Floats reach = shuffled(radius, i) + shuffled(radius, j);
        const int count = std::min(pairs - first, kLanes);
        each_unit(maybe_touching(dx, dy, reach) & first_units(count), [&](int lane) {
            const auto pair = static_cast<std::size_t>(first + lane);
            visit(kPairs.i[pair], kPairs.j[pair]);
        });
    }
}

// The same for any number of units: those of a smaller i first.
template <typename Visit>
void each_touching_pair_of_many(const Units& units, const Visit& visit) {
    each_unit(units.alive, [&](int i) {
        const auto k = static_cast<std::size_t>(i);
        const float x = units.x[k], y = units.y[k], radius = units.radius[k];
        const UnitSet near = units_where(i, units.count, [&](std::size_t lane) {
            return maybe_touching(load(&units.x[lane]) - x, load(&units.y[lane]) - y,
                                  load(&units.radius[lane]) + radius);
        });
        each_unit(near & ~first_units(i + 1), [&](int j) { visit(i, j); });
    });
}

}  // namespace

// Each of two living units that overlap moves by half of the overlap. A pair is visited once; a
// unit adds up its pushes in the order of the other units. XLA adds those of more than 32 units in
// two halves.
void push_apart(Units& units) {
    Pushes pushes(units.count);
    UnitSet pushed = 0;
    const auto push = [&](int i, int j) {
        const UnitSet pair = only_unit(i) | only_unit(j);
        if ((units.alive & pair) != pair) return;
        if (pushed == 0) pushes.clear(units.count);
        pushes.add(units, i, j);
        pushed |= pair;
    };
    if (units.count <= kLanes)
        each_touching_pair_of_few(units, push);
    else
        each_touching_pair_of_many(units, push);
    each_unit(pushed, [&](int i) { pushes.apply(units, i); });
}

}  // namespace pyqmix::PYQMIX_SIMD_NAMESPACE
