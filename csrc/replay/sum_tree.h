// A binary tree whose inner nodes hold the sums of the leaves below them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pyqmix {

// Leaves [0, leaves) of non-negative weights, all 0 at the start. One thread at a time.
class SumTree {
   public:
    explicit SumTree(std::int64_t leaves)
        : first_(std::bit_ceil(static_cast<std::size_t>(leaves > 0 ? leaves : 1))),
          sums_(2 * first_, 0.0) {}

    double total() const { return sums_[1]; }
    double operator[](std::int64_t leaf) const { return sums_[place(leaf)]; }

    // Recomputes the sums above the leaf, so rounding does not accumulate.
    void set(std::int64_t leaf, double weight) {
        std::size_t node = place(leaf);
        sums_[node] = weight;
        while (node > 1) {
            node /= 2;
            sums_[node] = sums_[2 * node] + sums_[2 * node + 1];
        }
    }

    // The leaf in which `mass` of [0, total()) falls when the weights lie side by side. Finds a
    // leaf of weight 0 only if all weights are 0.
    std::int64_t find(double mass) const {
        std::size_t node = 1;
        while (node < first_) {
            node *= 2;
            if (mass < sums_[node] || sums_[node + 1] == 0.0) continue;
            mass -= sums_[node];
            ++node;
        }
        return static_cast<std::int64_t>(node - first_);
    }

   private:
    std::size_t place(std::int64_t leaf) const { return first_ + static_cast<std::size_t>(leaf); }

    std::size_t first_;         // of the leaves among the nodes; node k has children 2k and 2k + 1
    std::vector<double> sums_;  // of each node; 0 is none
};

}  // namespace pyqmix
