// The layout of the tiles, the packed weights and the sums of gradients of one group's layers.
// Widths are padded with zeros to whole panels.
#pragma once

#include <cstdint>
#include <vector>

#include "base/zero_block.h"
#include "gemm/panels.h"
#include "ops/mlp/mlp.h"

namespace pyqmix {

inline constexpr std::int64_t kMlpTileRows = 128;

template <typename T>
struct MlpPlan {
    struct Layer {
        std::int64_t inputs, outputs;
        std::int64_t input_width, width;  // padded
        std::int64_t column;              // of its outputs in a row of activations
    };

    explicit MlpPlan(const MlpShape& shape);

    std::int64_t features, one_hot;
    bool final_relu;
    std::vector<Layer> layers;
    std::int64_t hidden_width = 0;  // of a row of all hidden layers' activations

    std::int64_t input_width() const { return layers.front().input_width; }
    std::int64_t out_width() const { return layers.back().width; }
    std::size_t last() const { return layers.size() - 1; }
    bool has_relu(std::size_t layer) const { return layer < last() || final_relu; }
};

// Weights of one group as the products read them, repacked at each call, because each update
// changes them.
template <typename T>
struct MlpWeights {
    std::vector<Panels<T>> panels;  // (inputs, outputs), or (outputs, inputs) for the backward
    std::vector<T*> biases;

    MlpWeights(const MlpPlan<T>& plan, const std::vector<MlpLayer<const T>>& layers,
               std::int64_t group, bool backward);

   private:
    std::vector<ZeroBlock<T>> memory_;
};

// Sums of gradients over the rows of one chunk.
template <typename T>
struct MlpSums {
    std::vector<ZeroBlock<T>> weights;      // (outputs, inputs padded)
    std::vector<ZeroBlock<double>> biases;  // (outputs padded)

    explicit MlpSums(const MlpPlan<T>& plan);
};

// One group's rows [begin, end), the work of one thread.
template <typename T>
struct MlpChunk {
    const MlpPlan<T>& plan;
    const MlpWeights<T>& weights;
    std::int64_t begin = 0, end = 0;
    Rows<const T> features;  // (R, I)
};

template <typename T>
struct MlpBackward {
    Rows<const T> out, grad_out;  // (R, O); out is null without final_relu
    const T* saved = nullptr;     // (R, hidden)
    Rows<T> grad_features;        // (R, I), unless null
    MlpSums<T>* sums = nullptr;
};

}  // namespace pyqmix
