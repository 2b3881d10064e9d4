#include "ops/gru/gru.h"

#include <array>
#include <optional>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/tensors.h"

namespace pyqmix {
namespace {

// weight_ih, weight_hh, bias_ih, bias_hh; those of several groups have one more dimension.
using Parameters = std::array<Tensor, 4>;

template <typename P>
GruParameters<P> parameters_of(const Parameters& of) {
    return {of[0].data<P>(), of[1].data<P>(), of[2].data<P>(), of[3].data<P>()};
}

// The features are a matrix of one row for each sequence and step, groups side by side.
template <typename T>
GruInputs<T> inputs_of(const Tensor& features, std::vector<std::int64_t> batch_sizes,
                       const Parameters& parameters) {
    const auto weight = parameters[0].shape();
    const std::int64_t groups = weight.size() == 3 ? weight[0] : 1;
    return {{groups, weight.back(), weight[weight.size() - 2] / 3},
            std::move(batch_sizes),
            features.rows<const T>(),
            parameters_of<const T>(parameters)};
}

}  // namespace

void bind_gru(py::module_& module) {
    using namespace py::literals;
    module.def(
        "gru_forward_cpu",
        [](const Tensor& features, std::vector<std::int64_t> batch_sizes,
           const Parameters& parameters, const Tensor& hidden, bool keep, int threads) {
            return with_floating(hidden, [&]<typename T>(T) {
                const std::int64_t rows = features.shape()[0];
                const auto in = inputs_of<T>(features, std::move(batch_sizes), parameters);
                T* const out = hidden.data<T>();
                ReleaseGil release;
                auto kept = keep ? workspace_of<T>(gru_saved<T>(in.shape, rows)) : nullptr;
                gru_forward_cpu(in, out, data_of<T>(kept), threads);
                return kept;
            });
        },
        "features"_a, "batch_sizes"_a, "parameters"_a, "hidden"_a, "keep"_a, "threads"_a);
    module.def(
        "gru_backward_cpu",
        [](const Tensor& features, std::vector<std::int64_t> batch_sizes,
           const Parameters& parameters, const Tensor& hidden, const Workspace& kept,
           const Tensor& grad_hidden, const std::optional<Parameters>& grads,
           const std::optional<Tensor>& grad_features, int threads) {
            with_floating(hidden, [&]<typename T>(T) {
                const auto in = inputs_of<T>(features, std::move(batch_sizes), parameters);
                const auto of_parameters = grads ? parameters_of<T>(*grads) : GruParameters<T>{};
                T* const of_features = grad_features ? grad_features->data<T>() : nullptr;
                const T* const out = hidden.data<const T>();
                const auto rows = grad_hidden.rows<const T>();
                ReleaseGil release;
                gru_backward_cpu(in, out, static_cast<const T*>(kept.data()), rows, of_parameters,
                                 of_features, threads);
            });
        },
        "features"_a, "batch_sizes"_a, "parameters"_a, "hidden"_a, "kept"_a, "grad_hidden"_a,
        "grads"_a, "grad_features"_a, "threads"_a);
}

}  // namespace pyqmix
