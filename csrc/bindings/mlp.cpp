#include "ops/mlp/mlp.h"

#include "base/workspace.h"
#include "bindings/bindings.h"
#include "bindings/tensor_args.h"

namespace py = pybind11;

namespace pyqmix {
namespace {

// Addresses of weight and bias, layer by layer.
using Addresses = std::vector<std::uintptr_t>;

template <typename P>
std::vector<MlpLayer<P>> layers_of(const Addresses& addresses) {
    std::vector<MlpLayer<P>> layers;
    for (std::size_t k = 0; k + 1 < addresses.size(); k += 2)
        layers.push_back(
            {reinterpret_cast<P*>(addresses[k]), reinterpret_cast<P*>(addresses[k + 1])});
    return layers;
}

struct MlpTensors {
    MlpShape shape;
    std::int64_t rows;
    TensorRows features;
    Addresses parameters;

    template <typename T>
    MlpInputs<T> as() const {
        return {shape, rows, rows_of<const T>(features), layers_of<const T>(parameters)};
    }
};

template <typename T>
void forward(const MlpTensors& in, std::uintptr_t out, Workspace* saved, int threads) {
    mlp_forward_cpu(in.as<T>(), reinterpret_cast<T*>(out),
                    saved ? static_cast<T*>(saved->data()) : nullptr, threads);
}

template <typename T>
void backward(const MlpTensors& in, Workspace* saved, const TensorRows& grad_out,
              const Addresses& grads, int threads) {
    mlp_backward_cpu<T>(in.as<T>(), nullptr, static_cast<const T*>(saved->data()),
                        {rows_of<const T>(grad_out), layers_of<T>(grads)}, threads);
}

}  // namespace

void bind_mlp(py::module_& module) {
    py::class_<MlpTensors>(module, "MlpTensors")
        .def(py::init([](std::int64_t groups, std::int64_t input_dim, std::int64_t one_hot,
                         std::vector<std::int64_t> sizes, std::int64_t rows, TensorRows features,
                         Addresses parameters) {
                 return MlpTensors{{groups, input_dim, one_hot, std::move(sizes)},
                                   rows,
                                   features,
                                   std::move(parameters)};
             }),
             py::kw_only(), py::arg("groups"), py::arg("input_dim"), py::arg("one_hot"),
             py::arg("sizes"), py::arg("rows"), py::arg("features"), py::arg("parameters"))
        .def("activations", [](const MlpTensors& in, bool is_double) {
            const std::int64_t bytes =
                is_double ? mlp_saved<double>(in.shape, in.rows) * std::int64_t{sizeof(double)}
                          : mlp_saved<float>(in.shape, in.rows) * std::int64_t{sizeof(float)};
            return std::make_unique<Workspace>(static_cast<std::size_t>(bytes));
        });
    module.def(
        "mlp_forward_cpu",
        [](const MlpTensors& in, std::uintptr_t out, Workspace* saved, bool is_double,
           int threads) {
            py::gil_scoped_release release;
            (is_double ? forward<double> : forward<float>)(in, out, saved, threads);
        },
        py::arg("inputs"), py::arg("out"), py::arg("saved").none(true), py::kw_only(),
        py::arg("is_double"), py::arg("threads"));
    module.def(
        "mlp_backward_cpu",
        [](const MlpTensors& in, Workspace* saved, const TensorRows& grad_out,
           const Addresses& grads, bool is_double, int threads) {
            py::gil_scoped_release release;
            (is_double ? backward<double> : backward<float>)(in, saved, grad_out, grads, threads);
        },
        py::arg("inputs"), py::arg("saved"), py::arg("grad_out"), py::arg("grads"), py::kw_only(),
        py::arg("is_double"), py::arg("threads"));
}

}  // namespace pyqmix
