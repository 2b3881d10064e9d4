#include "ops/adam/adam.h"

#include <array>

#include "bindings/bindings.h"
#if defined(PYQMIX_WITH_CUDA)
#include "ops/adam/adam_cuda.h"
#endif

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

#if defined(PYQMIX_WITH_CUDA)
template <typename T>
void run_on_gpu(std::int64_t size, const std::array<Address, 4>& blocks, Address step, Address lr,
                const std::array<double, 4>& options, Address scratch, Address norm,
                Address stream) {
    const auto at = [](Address address) { return reinterpret_cast<T*>(address); };
    const auto scalar = [](Address address) { return reinterpret_cast<const float*>(address); };
    const auto [beta1, beta2, eps, max_norm] = options;
    adam_cuda<T>({size, at(blocks[0]), at(blocks[1]), at(blocks[2]), at(blocks[3]), scalar(step),
                  scalar(lr), beta1, beta2, eps, max_norm, at(scratch), at(norm)},
                 reinterpret_cast<void*>(stream));
}
#endif

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
#if defined(PYQMIX_WITH_CUDA)
    module.attr("ADAM_SCRATCH") = kAdamParts + 2;
    module.def(
        "adam_cuda",
        [](std::int64_t size, Address parameters, Address gradient, Address exp_avg,
           Address exp_avg_sq, Address step, Address lr, double beta1, double beta2, double eps,
           double max_norm, Address scratch, Address norm, bool is_double, Address stream) {
            py::gil_scoped_release release;
            (is_double ? run_on_gpu<double>
                       : run_on_gpu<float>)(size, {parameters, gradient, exp_avg, exp_avg_sq}, step,
                                            lr, {beta1, beta2, eps, max_norm}, scratch, norm,
                                            stream);
        },
        py::kw_only(), py::arg("size"), py::arg("parameters"), py::arg("gradient"),
        py::arg("exp_avg"), py::arg("exp_avg_sq"), py::arg("step"), py::arg("lr"), py::arg("beta1"),
        py::arg("beta2"), py::arg("eps"), py::arg("max_norm"), py::arg("scratch"), py::arg("norm"),
        py::arg("is_double"), py::arg("stream"));
#endif
}

}  // namespace pyqmix
