#include "bindings/bindings.h"
#if defined(PYQMIX_WITH_CUDA)
#include <optional>
#include <tuple>

#include "bindings/tensor_args.h"
#include "ops/linear/bias_relu.h"

namespace py = pybind11;

namespace pyqmix {
namespace {

// Outputs, masked gradient, and how many columns pass the ReLU.
using ReluRows = std::tuple<TensorRows, TensorRows, std::int64_t>;

template <typename T>
T* at(std::uintptr_t address) {
    return reinterpret_cast<T*>(address);
}

template <typename T>
BiasReluBackward<T> backward_args(std::int64_t rows, std::int64_t width, const TensorRows& grad,
                                  const std::optional<ReluRows>& relu, std::int64_t parts,
                                  std::uintptr_t sums, std::uintptr_t grad_bias) {
    BiasReluBackward<T> args;
    args.rows = rows;
    args.width = width;
    args.grad = rows_of<const T>(grad);
    if (relu) {
        const auto& [outputs, masked, columns] = *relu;
        args.outputs = rows_of<const T>(outputs);
        args.masked = rows_of<T>(masked);
        args.relu = columns;
    }
    args.parts = parts;
    args.sums = at<T>(sums);
    args.grad_bias = at<T>(grad_bias);
    return args;
}

}  // namespace

void bind_linear(py::module_& module) {
    module.def("bias_relu_parts", &bias_relu_parts, py::arg("rows"), py::arg("width"));
    module.def(
        "bias_relu_cuda",
        [](std::int64_t rows, std::int64_t width, const TensorRows& values, std::uintptr_t bias,
           std::int64_t relu, bool is_double, std::uintptr_t stream) {
            py::gil_scoped_release release;
            if (is_double)
                bias_relu_cuda<double>(
                    {rows, width, rows_of<double>(values), at<double>(bias), relu},
                    at<void>(stream));
            else
                bias_relu_cuda<float>({rows, width, rows_of<float>(values), at<float>(bias), relu},
                                      at<void>(stream));
        },
        py::kw_only(), py::arg("rows"), py::arg("width"), py::arg("values"), py::arg("bias"),
        py::arg("relu"), py::arg("is_double"), py::arg("stream"));
    module.def(
        "bias_relu_backward_cuda",
        [](std::int64_t rows, std::int64_t width, const TensorRows& grad,
           const std::optional<ReluRows>& relu, std::int64_t parts, std::uintptr_t sums,
           std::uintptr_t grad_bias, bool is_double, std::uintptr_t stream) {
            py::gil_scoped_release release;
            if (is_double)
                bias_relu_backward_cuda(
                    backward_args<double>(rows, width, grad, relu, parts, sums, grad_bias),
                    at<void>(stream));
            else
                bias_relu_backward_cuda(
                    backward_args<float>(rows, width, grad, relu, parts, sums, grad_bias),
                    at<void>(stream));
        },
        py::kw_only(), py::arg("rows"), py::arg("width"), py::arg("grad"), py::arg("relu"),
        py::arg("parts"), py::arg("sums"), py::arg("grad_bias"), py::arg("is_double"),
        py::arg("stream"));
}

}  // namespace pyqmix
#else

namespace pyqmix {

void bind_linear(pybind11::module_&) {}

}  // namespace pyqmix
#endif
