#include "ops/mlp/mlp_cpu.h"

#include <algorithm>
#include <cstring>

#include "base/column_sums.h"
#include "gemm/gemm.h"

namespace pyqmix::PYQMIX_SIMD_NAMESPACE {
namespace {

// The features of a tile's rows with their one-hot part, padded; the features themselves where they
// need neither.
template <typename T>
Rows<const T> tile_inputs(const MlpChunk<T>& chunk, std::int64_t row, std::int64_t rows,
                          T* memory) {
    const MlpPlan<T>& plan = chunk.plan;
    const std::int64_t width = plan.input_width();
    if (plan.features == width) return {chunk.features[row], chunk.features.stride};
    for (std::int64_t r = 0; r < rows; ++r) {
        T* const to = memory + r * width;
        std::copy_n(chunk.features[row + r], plan.features, to);
        std::fill(to + plan.features, to + width, T(0));
        if (plan.one_hot > 0) to[plan.features + (row + r) % plan.one_hot] = T(1);
    }
    return {memory, width};
}

// Calls visit(first row, rows) for each tile of the chunk.
template <typename T, typename Visit>
void for_tiles(const MlpChunk<T>& chunk, const Visit& visit) {
    for (std::int64_t row = chunk.begin; row < chunk.end; row += kMlpTileRows)
        visit(row, std::min(kMlpTileRows, chunk.end - row));
}

// Sums of few columns, (rows, width) with any stride.
template <typename T>
void add_few_columns(std::int64_t rows, std::int64_t width, Rows<const T> from, double* sums) {
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t j = 0; j < width; ++j) sums[j] += static_cast<double>(from[r][j]);
}

// The gradients of a ReLU's inputs from those of its outputs.
template <typename T>
void pass_relu(std::int64_t rows, std::int64_t width, Rows<const T> out, Rows<const T> grad_out,
               Rows<T> grads) {
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t j = 0; j < width; ++j)
            grads[r][j] = out[r][j] > T(0) ? grad_out[r][j] : T(0);
}

// From the gradients (rows, outputs) of a layer to those of its inputs. `positive` holds those
// inputs where they are a ReLU's outputs, and is null elsewhere.
template <typename T>
void to_inputs(std::int64_t rows, const Panels<T>& weights, Rows<const T> grads, Rows<T> inputs,
               Rows<const T> positive) {
    Finish<T> finish;
    finish.overwrite = true;
    finish.positive = positive.data;
    finish.positive_stride = positive.stride;
    product(rows, grads.data, grads.stride, weights, inputs.data, inputs.stride, finish);
}

}  // namespace

template <typename T>
void mlp_forward_chunk(const MlpChunk<T>& chunk, Rows<T> out, T* saved) {
    const MlpPlan<T>& plan = chunk.plan;
    const ZeroBlock<T> inputs(kMlpTileRows * plan.input_width());
    const ZeroBlock<T> hidden(saved ? 0 : kMlpTileRows * plan.hidden_width);
    const ZeroBlock<T> outputs(kMlpTileRows * plan.out_width());
    for_tiles(chunk, [&](std::int64_t row, std::int64_t rows) {
        T* const kept = saved ? saved + row * plan.hidden_width : hidden.data();
        Rows<const T> from = tile_inputs(chunk, row, rows, inputs.data());
        for (std::size_t k = 0; k < plan.layers.size(); ++k) {
            const auto& layer = plan.layers[k];
            const bool last = k == plan.last(), in_place = layer.outputs == layer.width;
            Rows<T> to{kept + layer.column, plan.hidden_width};
            if (last)
                to = in_place ? Rows<T>{out[row], out.stride}
                              : Rows<T>{outputs.data(), plan.out_width()};
            Finish<T> finish;
            finish.bias = chunk.weights.biases[k];
            finish.relu_width = plan.has_relu(k) ? layer.width : 0;
            product(rows, from.data, from.stride, chunk.weights.panels[k], to.data, to.stride,
                    finish);
            from = {to.data, to.stride};
            if (!last || in_place) continue;
            for (std::int64_t r = 0; r < rows; ++r)
                std::copy_n(from[r], layer.outputs, out[row + r]);
        }
    });
}

template <typename T>
void mlp_backward_chunk(const MlpChunk<T>& chunk, const MlpBackward<T>& to) {
    const MlpPlan<T>& plan = chunk.plan;
    const MlpSums<T>& sums = *to.sums;
    const ZeroBlock<T> inputs(kMlpTileRows * plan.input_width());
    const ZeroBlock<T> grads(kMlpTileRows * plan.hidden_width);
    const ZeroBlock<T> last_grads(plan.final_relu ? kMlpTileRows * plan.out_width() : 0);
    const ZeroBlock<T> grad_inputs(to.grad_features.data ? kMlpTileRows * plan.input_width() : 0);
    for_tiles(chunk, [&](std::int64_t row, std::int64_t rows) {
        const Rows<const T> features = tile_inputs(chunk, row, rows, inputs.data());
        const T* const kept = to.saved + row * plan.hidden_width;
        Rows<const T> grad{to.grad_out[row], to.grad_out.stride};
        if (plan.final_relu) {
            const Rows<T> passed{last_grads.data(), plan.out_width()};
            pass_relu<T>(rows, plan.layers.back().outputs, {to.out[row], to.out.stride}, grad,
                         passed);
            grad = {passed.data, passed.stride};
        }
        for (std::size_t k = plan.layers.size(); k-- > 0;) {
            const auto& layer = plan.layers[k];
            const Rows<const T> from =
                k == 0 ? features
                       : Rows<const T>{kept + plan.layers[k - 1].column, plan.hidden_width};
            add_outer_product(rows, layer.outputs, layer.input_width, grad.data, grad.stride,
                              from.data, from.stride, sums.weights[k].data(), layer.input_width);
            if (plan.has_relu(k))
                add_columns(rows, layer.width, grad, sums.biases[k].data());
            else
                add_few_columns(rows, layer.outputs, grad, sums.biases[k].data());
            if (k == 0) break;
            const Rows<T> before{grads.data() + plan.layers[k - 1].column, plan.hidden_width};
            to_inputs(rows, chunk.weights.panels[k], grad, before, from);
            grad = {before.data, before.stride};
        }
        if (!to.grad_features.data) return;
        to_inputs<T>(rows, chunk.weights.panels[0], grad, {grad_inputs.data(), plan.input_width()},
                     {});
        for (std::int64_t r = 0; r < rows; ++r)
            std::copy_n(grad_inputs.data() + r * plan.input_width(), plan.features,
                        to.grad_features[row + r]);
    });
}

#define PYQMIX_MLP_CHUNK_OF(T)                                        \
    template void mlp_forward_chunk(const MlpChunk<T>&, Rows<T>, T*); \
    template void mlp_backward_chunk(const MlpChunk<T>&, const MlpBackward<T>&);
PYQMIX_MLP_CHUNK_OF(float)
PYQMIX_MLP_CHUNK_OF(double)

}  // namespace pyqmix::PYQMIX_SIMD_NAMESPACE
