#include "ops/mlp/mlp.h"

#include <algorithm>
#include <memory>

#include "base/row_chunks.h"
#include "base/simd_dispatch.h"
#include "ops/mlp/mlp_cpu.h"
#include "ops/mlp/plan.h"

namespace pyqmix {
namespace {

template <typename T>
Rows<const T> of_group(Rows<const T> all, std::int64_t group, std::int64_t width) {
    return {all.data + group * width, all.stride};
}

template <typename T>
std::vector<MlpWeights<T>> weights_of(const MlpInputs<T>& in, const MlpPlan<T>& plan,
                                      bool backward) {
    std::vector<MlpWeights<T>> weights;
    for (std::int64_t group = 0; group < in.shape.groups; ++group)
        weights.emplace_back(plan, in.layers, group, backward);
    return weights;
}

// One group's gradients from the sums of its chunks.
template <typename T>
void write_gradients(const MlpPlan<T>& plan, const std::unique_ptr<MlpSums<T>>* sums,
                     std::int64_t chunks, std::int64_t group,
                     const std::vector<MlpLayer<T>>& grads) {
    for (std::size_t k = 0; k < plan.layers.size(); ++k) {
        const auto& layer = plan.layers[k];
        T* const weight = grads[k].weight + group * layer.outputs * layer.inputs;
        T* const bias = grads[k].bias + group * layer.outputs;
        for (std::int64_t j = 0; j < layer.outputs; ++j) {
            T* const to = weight + j * layer.inputs;
            std::fill_n(to, layer.inputs, T(0));
            double sum = 0.0;
            for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
                const T* const from = sums[chunk]->weights[k].data() + j * layer.input_width;
                for (std::int64_t i = 0; i < layer.inputs; ++i) to[i] += from[i];
                sum += sums[chunk]->biases[k].data()[j];
            }
            bias[j] = static_cast<T>(sum);
        }
    }
}

}  // namespace

template <typename T>
MlpPlan<T>::MlpPlan(const MlpShape& shape)
    : features(shape.input_dim), one_hot(shape.one_hot), final_relu(shape.final_relu) {
    std::int64_t inputs = features + one_hot;
    for (const std::int64_t outputs : shape.sizes) {
        layers.push_back({inputs, outputs, padded<T>(inputs), padded<T>(outputs), hidden_width});
        hidden_width += padded<T>(outputs);
        inputs = outputs;
    }
    hidden_width -= layers.back().width;
}

template <typename T>
MlpWeights<T>::MlpWeights(const MlpPlan<T>& plan, const std::vector<MlpLayer<const T>>& from,
                          std::int64_t group, bool backward) {
    for (std::size_t k = 0; k < plan.layers.size(); ++k) {
        const auto& layer = plan.layers[k];
        const T* const weight = from[k].weight + group * layer.outputs * layer.inputs;
        const std::int64_t depth = backward ? layer.outputs : layer.inputs;
        const std::int64_t width = backward ? layer.input_width : layer.width;
        memory_.emplace_back(depth * width + layer.width);
        panels.push_back({memory_.back().data(), depth, width});
        biases.push_back(memory_.back().data() + depth * width);
        if (backward) {
            put(panels.back(), weight, layer.inputs);
            continue;
        }
        put_transposed(panels.back(), 0, weight, layer.outputs);
        std::copy_n(from[k].bias + group * layer.outputs, layer.outputs, biases.back());
    }
}

template <typename T>
MlpSums<T>::MlpSums(const MlpPlan<T>& plan) {
    for (const auto& layer : plan.layers) {
        weights.emplace_back(layer.outputs * layer.input_width);
        biases.emplace_back(layer.width);
    }
}

template <typename T>
std::int64_t mlp_saved(const MlpShape& shape, std::int64_t rows) {
    return shape.groups * rows * MlpPlan<T>(shape).hidden_width;
}

template <typename T>
void mlp_forward_cpu(const MlpInputs<T>& in, T* out, T* saved, int threads) {
    const MlpPlan<T> plan(in.shape);
    const auto weights = weights_of(in, plan, false);
    const std::int64_t outputs = in.shape.sizes.back();
    for_chunks(in.shape.groups, in.rows, kMlpTileRows, threads,
               [&](std::int64_t, std::int64_t group, std::int64_t begin, std::int64_t end) {
                   const MlpChunk<T> chunk{plan, weights[static_cast<std::size_t>(group)], begin,
                                           end, of_group(in.features, group, plan.features)};
                   const Rows<T> to{out + group * outputs, in.shape.groups * outputs};
                   T* const kept = saved ? saved + group * in.rows * plan.hidden_width : nullptr;
                   PYQMIX_AT_SIMD_LEVEL(mlp_forward_chunk, chunk, to, kept);
               });
}

template <typename T>
void mlp_backward_cpu(const MlpInputs<T>& in, const T* out, const T* saved,
                      const MlpGradients<T>& grads, int threads) {
    const MlpPlan<T> plan(in.shape);
    const std::int64_t groups = in.shape.groups, outputs = in.shape.sizes.back();
    const auto weights = weights_of(in, plan, true);
    const std::int64_t chunks = chunks_of(in.rows, kMlpTileRows);
    std::vector<std::unique_ptr<MlpSums<T>>> sums(
        static_cast<std::size_t>(in.shape.groups * chunks));
    for (auto& of_job : sums) of_job = std::make_unique<MlpSums<T>>(plan);
    for_chunks(in.shape.groups, in.rows, kMlpTileRows, threads,
               [&](std::int64_t job, std::int64_t group, std::int64_t begin, std::int64_t end) {
                   const MlpChunk<T> chunk{plan, weights[static_cast<std::size_t>(group)], begin,
                                           end, of_group(in.features, group, plan.features)};
                   MlpBackward<T> to;
                   to.grad_out = of_group(grads.out, group, outputs);
                   if (plan.final_relu) to.out = {out + group * outputs, groups * outputs};
                   to.saved = saved + group * in.rows * plan.hidden_width;
                   if (grads.features)
                       to.grad_features = {grads.features + group * plan.features,
                                           groups * plan.features};
                   to.sums = sums[static_cast<std::size_t>(job)].get();
                   PYQMIX_AT_SIMD_LEVEL(mlp_backward_chunk, chunk, to);
               });
    for (std::int64_t group = 0; group < in.shape.groups; ++group)
        write_gradients(plan, &sums[static_cast<std::size_t>(group * chunks)], chunks, group,
                        grads.layers);
}

#define PYQMIX_MLP_OF(T)                                                    \
    template struct MlpPlan<T>;                                             \
    template struct MlpWeights<T>;                                          \
    template struct MlpSums<T>;                                             \
    template std::int64_t mlp_saved<T>(const MlpShape&, std::int64_t);      \
    template void mlp_forward_cpu(const MlpInputs<T>&, T*, T*, int);        \
    template void mlp_backward_cpu(const MlpInputs<T>&, const T*, const T*, \
                                   const MlpGradients<T>&, int);
PYQMIX_MLP_OF(float)
PYQMIX_MLP_OF(double)

}  // namespace pyqmix
