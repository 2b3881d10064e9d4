#include <optional>
#include <tuple>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/tensors.h"
#include "ops/linear/bias_relu.h"

namespace pyqmix {
namespace {

// Outputs (rows, width); the masked gradient of that shape; how many columns pass the ReLU.
using ReluRows = std::tuple<Tensor, Tensor, std::int64_t>;

template <typename T>
BiasReluBackward<T> backward_args(const Tensor& grad, const std::optional<ReluRows>& relu,
                                  const Tensor& sums, const Tensor& grad_bias) {
    BiasReluBackward<T> args;
    args.rows = grad.shape()[0];
    args.width = grad.shape()[1];
    args.grad = grad.rows<const T>();
    if (relu) {
        const auto& [outputs, masked, columns] = *relu;
        args.outputs = outputs.rows<const T>();
        args.masked = masked.rows<T>();
        args.relu = columns;
    }
    args.parts = sums.shape()[0];
    args.sums = sums.data<T>();
    args.grad_bias = grad_bias.data<T>();
    return args;
}

}  // namespace

void bind_linear(py::module_& module) {
    using namespace py::literals;
    if_with_cuda([&](auto) {
        module.def("bias_relu_parts", &bias_relu_parts, "rows"_a, "width"_a);
        module.def(
            "bias_relu_cuda",
            [](const Tensor& values, const Tensor& bias, std::int64_t relu, CudaStream stream) {
                with_floating(values, [&]<typename T>(T) {
                    const auto sizes = values.shape();
                    const BiasRelu<T> args{sizes[0], sizes[1], values.rows<T>(),
                                           bias.data<const T>(), relu};
                    ReleaseGil release;
                    bias_relu_cuda(args, handle_of(stream));
                });
            },
            "values"_a, "bias"_a, "relu"_a, "stream"_a);
        module.def(
            "bias_relu_backward_cuda",
            [](const Tensor& grad, const std::optional<ReluRows>& relu, const Tensor& sums,
               const Tensor& grad_bias, CudaStream stream) {
                with_floating(grad, [&]<typename T>(T) {
                    const auto args = backward_args<T>(grad, relu, sums, grad_bias);
                    ReleaseGil release;
                    bias_relu_backward_cuda(args, handle_of(stream));
                });
            },
            "grad"_a, "relu"_a, "sums"_a, "grad_bias"_a, "stream"_a);
    });
}

}  // namespace pyqmix
