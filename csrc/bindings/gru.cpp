#include "ops/gru/gru.h"

#include "base/workspace.h"
#include "bindings/bindings.h"
#include "bindings/tensor_args.h"

namespace py = pybind11;

namespace pyqmix {
namespace {

// Addresses of weight_ih, weight_hh, bias_ih, bias_hh; or none.
using Addresses = std::vector<std::uintptr_t>;

template <typename P>
GruParameters<P> parameters_of(const Addresses& addresses) {
    if (addresses.empty()) return {};
    const auto at = [&](std::size_t k) { return reinterpret_cast<P*>(addresses.at(k)); };
    return {at(0), at(1), at(2), at(3)};
}

struct GruTensors {
    GruShape shape;
    std::vector<std::int64_t> batch_sizes;
    std::int64_t rows;
    TensorRows features;
    Addresses parameters;

    template <typename T>
    GruInputs<T> as() const {
        return {shape, batch_sizes, rows_of<const T>(features), parameters_of<const T>(parameters)};
    }
};

template <typename T>
void forward(const GruTensors& in, std::uintptr_t hidden, Workspace* saved, int threads) {
    gru_forward_cpu(in.as<T>(), reinterpret_cast<T*>(hidden),
                    saved ? static_cast<T*>(saved->data()) : nullptr, threads);
}

struct Gradients {
    TensorRows hidden;
    Addresses parameters;
    std::uintptr_t features;
};

template <typename T>
void backward(const GruTensors& in, std::uintptr_t hidden, Workspace* saved, const Gradients& grads,
              int threads) {
    gru_backward_cpu(in.as<T>(), reinterpret_cast<const T*>(hidden),
                     static_cast<const T*>(saved->data()), rows_of<const T>(grads.hidden),
                     parameters_of<T>(grads.parameters), reinterpret_cast<T*>(grads.features),
                     threads);
}

}  // namespace

void bind_gru(py::module_& module) {
    py::class_<GruTensors>(module, "GruTensors")
        .def(py::init([](std::int64_t groups, std::int64_t input_dim, std::int64_t hidden_dim,
                         std::vector<std::int64_t> batch_sizes, std::int64_t rows,
                         TensorRows features, Addresses parameters) {
                 return GruTensors{{groups, input_dim, hidden_dim},
                                   std::move(batch_sizes),
                                   rows,
                                   features,
                                   std::move(parameters)};
             }),
             py::kw_only(), py::arg("groups"), py::arg("input_dim"), py::arg("hidden_dim"),
             py::arg("batch_sizes"), py::arg("rows"), py::arg("features"), py::arg("parameters"))
        .def("gates", [](const GruTensors& in, bool is_double) {
            const std::int64_t bytes =
                is_double ? gru_saved<double>(in.shape, in.rows) * std::int64_t{sizeof(double)}
                          : gru_saved<float>(in.shape, in.rows) * std::int64_t{sizeof(float)};
            return std::make_unique<Workspace>(static_cast<std::size_t>(bytes));
        });
    module.def(
        "gru_forward_cpu",
        [](const GruTensors& in, std::uintptr_t hidden, Workspace* saved, bool is_double,
           int threads) {
            py::gil_scoped_release release;
            (is_double ? forward<double> : forward<float>)(in, hidden, saved, threads);
        },
        py::arg("inputs"), py::arg("hidden"), py::arg("saved").none(true), py::kw_only(),
        py::arg("is_double"), py::arg("threads"));
    module.def(
        "gru_backward_cpu",
        [](const GruTensors& in, std::uintptr_t hidden, Workspace* saved,
           const TensorRows& grad_hidden, const Addresses& grads, std::uintptr_t grad_features,
           bool is_double, int threads) {
            py::gil_scoped_release release;
            (is_double ? backward<double> : backward<float>)(in, hidden, saved,
                                                             {grad_hidden, grads, grad_features},
                                                             threads);
        },
        py::arg("inputs"), py::arg("hidden"), py::arg("saved"), py::arg("grad_hidden"),
        py::arg("grads"), py::arg("grad_features"), py::kw_only(), py::arg("is_double"),
        py::arg("threads"));
}

}  // namespace pyqmix
