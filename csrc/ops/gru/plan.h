// The layout of the gates, the packed weights and the sums of gradients of one group's recurrent
// unit. Widths are padded with zeros to whole panels.
#pragma once

#include <cstdint>
#include <vector>

#include "base/zero_block.h"
#include "gemm/panels.h"
#include "ops/gru/gates.h"
#include "ops/gru/gru.h"

namespace pyqmix {

// A row of gates holds n | r | z | hn. One product with the features gives its first three
// quarters, one with the state before gives its last three.
template <typename T>
struct GruPlan {
    explicit GruPlan(const GruShape& shape)
        : inputs(shape.input_dim),
          hidden(shape.hidden_dim),
          input_width(padded<T>(inputs)),
          hidden_width(padded<T>(hidden)),
          sums_width(3 * hidden_width),
          width(4 * hidden_width) {}

    std::int64_t inputs, hidden;
    std::int64_t input_width, hidden_width;
    std::int64_t sums_width, width;  // of one product's sums, and of all gates

    template <typename P>
    GateRow<P> gates(P* row) const {
        return {row, row + hidden_width, row + 2 * hidden_width, row + 3 * hidden_width};
    }
};

// Steps of packed sequences: those of step t are the rows [offsets[t], offsets[t + 1]).
struct GruSteps {
    std::vector<std::int64_t> offsets;

    explicit GruSteps(const std::vector<std::int64_t>& batch_sizes);
    std::int64_t steps() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
    std::int64_t offset(std::int64_t t) const { return offsets[static_cast<std::size_t>(t)]; }
    std::int64_t sequences(std::int64_t t) const { return offset(t + 1) - offset(t); }
};

// Weights of one group as the products read them, repacked at each call, because each update
// changes them.
template <typename T>
struct GruWeights {
    Panels<T> input, hidden;            // (I, n | r | z), (H, r | z | hn)
    Panels<T> input_back, hidden_back;  // (n | r | z, I), (r | z | hn, H): for the backward
    const T* bias = nullptr;            // n | r | z | hn

    GruWeights(const GruPlan<T>& plan, const GruParameters<const T>& of_group, bool backward);

   private:
    ZeroBlock<T> input_memory_, hidden_memory_, bias_memory_;
};

// Sums of gradients over the sequences of one chunk.
template <typename T>
struct GruSums {
    ZeroBlock<T> input, hidden;  // (n | r | z, I padded), (r | z | hn, H padded)
    ZeroBlock<double> bias;      // n | r | z | hn

    explicit GruSums(const GruPlan<T>& plan);
};

// One group's sequences [first, last), the work of one thread. All rows are the group's own.
template <typename T>
struct GruChunk {
    const GruPlan<T>& plan;
    const GruWeights<T>& weights;
    const GruSteps& steps;
    std::int64_t first = 0, last = 0;
    Rows<const T> features;  // (R, I)

    // The number of the sequences that reach step t; their first row is offset(t) + first.
    std::int64_t reach(std::int64_t t) const {
        const std::int64_t count = steps.sequences(t);
        return count <= first ? 0 : (count < last ? count : last) - first;
    }
};

template <typename T>
struct GruBackward {
    Rows<const T> hidden, grad_hidden;  // (R, H)
    const T* saved = nullptr;           // (R, gates)
    Rows<T> grad_features;              // (R, I), unless null
    GruSums<T>* sums = nullptr;         // unless null
};

}  // namespace pyqmix
