#include "play/policy_cpu.h"

#include <algorithm>
#include <cstring>

#include "ops/gru/gates.h"

namespace pyqmix::PYQMIX_SIMD_NAMESPACE {
namespace {

typedef float Vector __attribute__((vector_size(DenseLayer::kVector * sizeof(float)), aligned(4)));

// Sums that the registers hold: kBlockRows rows of kBlockVectors vectors of outputs.
#if defined(__AVX512F__)
constexpr int kBlockRows = 8, kBlockVectors = 2;
#else
constexpr int kBlockRows = 4, kBlockVectors = 1;
#endif

// R rows times V vectors of outputs from column `col` on. Each sum starts at the bias and takes in
// its products in the order of the inputs, whatever R and V are.
template <int R, int V>
void block(const DenseLayer& layer, std::int64_t row, std::int64_t col, const float* in,
           std::int64_t in_stride, bool relu, float* out) {
    Vector sums[R][V];
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < V; ++v)
            std::memcpy(
                &sums[r][v],
                &layer.bias[(row + r) % layer.biases * layer.width + col] + v * DenseLayer::kVector,
                sizeof(Vector));
    const float* weight = layer.weight.data() + col;
    for (std::int64_t k = 0; k < layer.inputs; ++k, weight += layer.width) {
        Vector weights[V];
        for (int v = 0; v < V; ++v)
            std::memcpy(&weights[v], weight + v * DenseLayer::kVector, sizeof(Vector));
        for (int r = 0; r < R; ++r) {
            const float x = in[r * in_stride + k];
            for (int v = 0; v < V; ++v) sums[r][v] += x * weights[v];
        }
    }
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < V; ++v) {
            if (relu) sums[r][v] = sums[r][v] < 0.0f ? Vector{} : sums[r][v];  // NaN stays
            std::memcpy(out + r * layer.width + col + v * DenseLayer::kVector, &sums[r][v],
                        sizeof(Vector));
        }
}

template <int R>
void rows_of_layer(const DenseLayer& layer, std::int64_t row, const float* in,
                   std::int64_t in_stride, bool relu, float* out) {
    constexpr std::int64_t kWide = kBlockVectors * DenseLayer::kVector;
    std::int64_t col = 0;
    for (; col + kWide <= layer.width; col += kWide)
        block<R, kBlockVectors>(layer, row, col, in, in_stride, relu, out);
    for (; col < layer.width; col += DenseLayer::kVector)
        block<R, 1>(layer, row, col, in, in_stride, relu, out);
}

void tile_of_layer(const DenseLayer& layer, std::int64_t row, std::int64_t rows, const float* in,
                   std::int64_t in_stride, bool relu, float* out) {
    std::int64_t r = 0;
    for (; r + kBlockRows <= rows; r += kBlockRows)
        rows_of_layer<kBlockRows>(layer, row + r, in + r * in_stride, in_stride, relu,
                                  out + r * layer.width);
    for (; r + 2 <= rows; r += 2)
        rows_of_layer<2>(layer, row + r, in + r * in_stride, in_stride, relu,
                         out + r * layer.width);
    for (; r < rows; ++r)
        rows_of_layer<1>(layer, row + r, in + r * in_stride, in_stride, relu,
                         out + r * layer.width);
}

// Calls visit(first row, rows) for each tile.
template <typename Visit>
void for_tiles(std::int64_t rows, const Visit& visit) {
    for (std::int64_t row = 0; row < rows; row += kPolicyTileRows)
        visit(row, std::min(kPolicyTileRows, rows - row));
}

// The tile's observations, scaled into `to` where there is a scale.
Rows<const float> tile_of_obs(const PolicyRows& all, std::int64_t row, std::int64_t rows,
                              float* to) {
    if (!all.obs_scale) return {all.obs[row], all.obs.stride};
    for (std::int64_t r = 0; r < rows; ++r) {
        const float* const from = all.obs[row + r];
        for (std::int64_t k = 0; k < all.obs_dim; ++k)
            to[r * all.obs_dim + k] = from[k] * all.obs_scale[k];
    }
    return {to, all.obs_dim};
}

void write_values(const DenseLayer& last, const float* from, const PolicyRows& to, std::int64_t row,
                  std::int64_t rows) {
    for (std::int64_t r = 0; r < rows; ++r)
        std::copy_n(from + r * last.width, last.outputs, to.qs[row + r]);
}

}  // namespace

void dense_layers(const DenseLayer* layers, std::int64_t count, const PolicyRows& all,
                  float* scratch) {
    for_tiles(all.count, [&](std::int64_t row, std::int64_t rows) {
        const Rows<const float> obs = tile_of_obs(all, row, rows, scratch);
        const float* from = obs.data;
        std::int64_t stride = obs.stride;
        float* to = scratch + kPolicyTileRows * all.obs_dim;
        for (std::int64_t k = 0; k < count; ++k) {
            tile_of_layer(layers[k], row, rows, from, stride, k + 1 < count, to);
            from = to;
            stride = layers[k].width;
            to += kPolicyTileRows * layers[k].width;
        }
        write_values(layers[count - 1], from, all, row, rows);
    });
}

void gru_layers(const GruNetwork& network, const PolicyRows& all, float* scratch) {
    const std::int64_t hidden = network.last.inputs, width = network.input.width;
    float* const features = scratch + kPolicyTileRows * all.obs_dim;
    float* const input = features + kPolicyTileRows * network.first.width;
    float* const recurrent = input + kPolicyTileRows * width;
    float* const values = recurrent + kPolicyTileRows * width;
    for_tiles(all.count, [&](std::int64_t row, std::int64_t rows) {
        const Rows<const float> obs = tile_of_obs(all, row, rows, scratch);
        tile_of_layer(network.first, row, rows, obs.data, obs.stride, true, features);
        tile_of_layer(network.input, row, rows, features, network.first.width, false, input);
        tile_of_layer(network.hidden, row, rows, all.hidden[row], all.hidden.stride, false,
                      recurrent);
        for (std::int64_t r = 0; r < rows; ++r) {
            float* const gates = input + r * width;  // r | z | n
            float* const of_state = recurrent + r * width;
            for (std::int64_t j = 0; j < 2 * hidden; ++j) gates[j] += of_state[j];
            gates_forward<float>(hidden,
                                 {gates + 2 * hidden, gates, gates + hidden, of_state + 2 * hidden},
                                 all.hidden[row + r], all.hidden[row + r]);
        }
        tile_of_layer(network.last, row, rows, all.hidden[row], all.hidden.stride, false, values);
        write_values(network.last, values, all, row, rows);
    });
}

}  // namespace pyqmix::PYQMIX_SIMD_NAMESPACE
