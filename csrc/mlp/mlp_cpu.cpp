#include "mlp/mlp_cpu.h"

#include <algorithm>
#include <cstring>

#include "common/column_sums.h"
#include "qmixer/gemm.h"

namespace pyqmix::PYQMIX_SIMD_NAMESPACE {
namespace {

// The features of a tile's rows with their one-hot part.
template <typename T>
void fill_inputs(const MlpChunk<T>& chunk, std::int64_t row, std::int64_t rows, T* inputs) {
    const MlpPlan<T>& plan = chunk.plan;
    const std::int64_t width = plan.input_width();
    for (std::int64_t r = 0; r < rows; ++r) {
        T* const to = inputs + r * width;
        std::copy_n(chunk.features[row + r], plan.features, to);
        std::fill(to + plan.features, to + width, T(0));
        if (plan.one_hot > 0) to[plan.features + (row + r) % plan.one_hot] = T(1);
    }
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

}  // namespace

template <typename T>
void mlp_forward_chunk(const MlpChunk<T>& chunk, Rows<T> out, T* saved) {
    const MlpPlan<T>& plan = chunk.plan;
    const ZeroBlock<T> inputs(kMlpTileRows * plan.input_width());
    const ZeroBlock<T> hidden(saved ? 0 : kMlpTileRows * plan.hidden_width);
    const ZeroBlock<T> outputs(kMlpTileRows * plan.out_width());
    for_tiles(chunk, [&](std::int64_t row, std::int64_t rows) {
        fill_inputs(chunk, row, rows, inputs.data());
        T* const kept = saved ? saved + row * plan.hidden_width : hidden.data();
        Rows<const T> from{inputs.data(), plan.input_width()};
        for (std::size_t k = 0; k < plan.layers.size(); ++k) {
            const auto& layer = plan.layers[k];
            const bool last = k == plan.last();
            const Rows<T> to = last ? Rows<T>{outputs.data(), plan.out_width()}
                                    : Rows<T>{kept + layer.column, plan.hidden_width};
            Finish<T> finish;
            finish.bias = chunk.weights.biases[k];
            finish.relu_width = last ? 0 : layer.width;
            product(rows, from.data, from.stride, chunk.weights.panels[k], to.data, to.stride,
                    finish);
            from = {to.data, to.stride};
        }
        for (std::int64_t r = 0; r < rows; ++r)
            std::copy_n(from[r], plan.layers.back().outputs, out[row + r]);
    });
}

template <typename T>
void mlp_backward_chunk(const MlpChunk<T>& chunk, const T* saved, Rows<const T> grad_out,
                        MlpSums<T>& sums) {
    const MlpPlan<T>& plan = chunk.plan;
    const ZeroBlock<T> inputs(kMlpTileRows * plan.input_width());
    const ZeroBlock<T> grads(kMlpTileRows * plan.hidden_width);
    for_tiles(chunk, [&](std::int64_t row, std::int64_t rows) {
        fill_inputs(chunk, row, rows, inputs.data());
        const T* const kept = saved + row * plan.hidden_width;
        Rows<const T> grad{grad_out[row], grad_out.stride};
        for (std::size_t k = plan.layers.size(); k-- > 0;) {
            const auto& layer = plan.layers[k];
            Rows<const T> from{inputs.data(), plan.input_width()};
            if (k > 0) from = {kept + plan.layers[k - 1].column, plan.hidden_width};
            add_outer_product(rows, layer.outputs, layer.input_width, grad.data, grad.stride,
                              from.data, from.stride, sums.weights[k].data(), layer.input_width);
            if (k == plan.last())
                add_few_columns(rows, layer.outputs, grad, sums.biases[k].data());
            else
                add_columns(rows, layer.width, grad, sums.biases[k].data());
            if (k == 0) break;
            const Rows<T> to{grads.data() + plan.layers[k - 1].column, plan.hidden_width};
            Finish<T> finish;
            finish.overwrite = true;
            finish.positive = from.data;
            finish.positive_stride = from.stride;
            product(rows, grad.data, grad.stride, chunk.weights.panels[k], to.data, to.stride,
                    finish);
            grad = {to.data, to.stride};
        }
    });
}

#define PYQMIX_MLP_CHUNK_OF(T)                                        \
    template void mlp_forward_chunk(const MlpChunk<T>&, Rows<T>, T*); \
    template void mlp_backward_chunk(const MlpChunk<T>&, const T*, Rows<const T>, MlpSums<T>&);
PYQMIX_MLP_CHUNK_OF(float)
PYQMIX_MLP_CHUNK_OF(double)

}  // namespace pyqmix::PYQMIX_SIMD_NAMESPACE
