#include "adam/adam.h"

#include "bindings/bindings.h"

namespace py = pybind11;

namespace pyqmix {
namespace {

using Address = std::uintptr_t;

template <typename T>
double run(std::int64_t size, Address parameters, Address gradient, Address exp_avg,
           Address exp_avg_sq, std::int64_t step, double lr, double beta1, double beta2, double eps,
           double max_norm) {
    const auto at = [](Address address) { return reinterpret_cast<T*>(address); };
    return adam_cpu<T>({size, at(parameters), at(gradient), at(exp_avg), at(exp_avg_sq), step, lr,
                        beta1, beta2, eps, max_norm});
}

}  // namespace

void bind_adam(py::module_& module) {
    module.def(
        "adam_cpu",
        [](std::int64_t size, Address parameters, Address gradient, Address exp_avg,
           Address exp_avg_sq, std::int64_t step, double lr, double beta1, double beta2, double eps,
           double max_norm, bool is_double) {
            py::gil_scoped_release release;
            return (is_double ? run<double> : run<float>)(size, parameters, gradient, exp_avg,
                                                          exp_avg_sq, step, lr, beta1, beta2, eps,
                                                          max_norm);
        },
        py::kw_only(), py::arg("size"), py::arg("parameters"), py::arg("gradient"),
        py::arg("exp_avg"), py::arg("exp_avg_sq"), py::arg("step"), py::arg("lr"), py::arg("beta1"),
        py::arg("beta2"), py::arg("eps"), py::arg("max_norm"), py::arg("is_double"));
}

}  // namespace pyqmix
