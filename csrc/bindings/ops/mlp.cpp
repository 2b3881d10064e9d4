#include "ops/mlp/mlp.h"

#include <optional>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/tensors.h"

namespace pyqmix {
namespace {

// Weight and bias of each layer in turn; those of several groups have one more dimension.
using Parameters = std::vector<Tensor>;

template <typename P>
std::vector<MlpLayer<P>> layers_of(const Parameters& parameters) {
    std::vector<MlpLayer<P>> layers;
    for (std::size_t k = 0; k + 1 < parameters.size(); k += 2)
        layers.push_back({parameters[k].data<P>(), parameters[k + 1].data<P>()});
    return layers;
}

// The features are a matrix, groups side by side.
template <typename T>
MlpInputs<T> inputs_of(const Tensor& features, const Parameters& parameters, std::int64_t one_hot,
                       bool final_relu) {
    const auto sizes = features.shape(), weight = parameters.at(0).shape();
    MlpShape shape{
        weight.size() == 3 ? weight[0] : 1, weight.back() - one_hot, one_hot, {}, final_relu};
    for (std::size_t k = 1; k < parameters.size(); k += 2)
        shape.sizes.push_back(parameters[k].shape().back());
    return {std::move(shape), sizes[0], features.rows<const T>(), layers_of<const T>(parameters)};
}

}  // namespace

void bind_mlp(py::module_& module) {
    using namespace py::literals;
    module.def(
        "mlp_forward_cpu",
        [](const Tensor& features, const Parameters& parameters, std::int64_t one_hot,
           bool final_relu, const Tensor& out, bool keep, int threads) {
            return with_floating(out, [&]<typename T>(T) {
                const auto in = inputs_of<T>(features, parameters, one_hot, final_relu);
                T* const to = out.data<T>();
                ReleaseGil release;
                auto kept = keep ? workspace_of<T>(mlp_saved<T>(in.shape, in.rows)) : nullptr;
                mlp_forward_cpu(in, to, data_of<T>(kept), threads);
                return kept;
            });
        },
        "features"_a, "parameters"_a, "one_hot"_a, "final_relu"_a, "out"_a, "keep"_a, "threads"_a);
    module.def(
        "mlp_backward_cpu",
        [](const Tensor& features, const Parameters& parameters, std::int64_t one_hot,
           bool final_relu, const std::optional<Tensor>& out, const Workspace& kept,
           const Tensor& grad_out, const Parameters& grads,
           const std::optional<Tensor>& grad_features, int threads) {
            with_floating(grad_out, [&]<typename T>(T) {
                const auto in = inputs_of<T>(features, parameters, one_hot, final_relu);
                const MlpGradients<T> to{grad_out.rows<const T>(), layers_of<T>(grads),
                                         grad_features ? grad_features->data<T>() : nullptr};
                const T* const outputs = out ? out->data<const T>() : nullptr;
                ReleaseGil release;
                mlp_backward_cpu<T>(in, outputs, static_cast<const T*>(kept.data()), to, threads);
            });
        },
        "features"_a, "parameters"_a, "one_hot"_a, "final_relu"_a, "out"_a, "kept"_a, "grad_out"_a,
        "grads"_a, "grad_features"_a, "threads"_a);
}

}  // namespace pyqmix
