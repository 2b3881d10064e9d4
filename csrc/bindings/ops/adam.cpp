#include "ops/adam/adam.h"

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/tensors.h"
#include "ops/adam/adam_cuda.h"

namespace pyqmix {

void bind_adam(py::module_& module) {
    using namespace py::literals;
    module.def(
        "adam_cpu",
        [](const Tensor& parameters, const Tensor& gradient, const Tensor& exp_avg,
           const Tensor& exp_avg_sq, std::int64_t step, double lr, double beta1, double beta2,
           double eps, double max_norm) {
            return with_floating(parameters, [&]<typename T>(T) {
                const AdamStep<T> args{parameters.shape()[0],
                                       parameters.data<T>(),
                                       gradient.data<T>(),
                                       exp_avg.data<T>(),
                                       exp_avg_sq.data<T>(),
                                       step,
                                       lr,
                                       beta1,
                                       beta2,
                                       eps,
                                       max_norm};
                ReleaseGil release;
                return adam_cpu(args);
            });
        },
        "parameters"_a, "gradient"_a, "exp_avg"_a, "exp_avg_sq"_a, "step"_a, "lr"_a, "beta1"_a,
        "beta2"_a, "eps"_a, "max_norm"_a);
    if_with_cuda([&](auto) {
        module.attr("ADAM_SCRATCH") = kAdamParts + 2;
        module.def(
            "adam_cuda",
            [](const Tensor& parameters, const Tensor& gradient, const Tensor& exp_avg,
               const Tensor& exp_avg_sq, const Tensor& step, const Tensor& lr, double beta1,
               double beta2, double eps, double max_norm, const Tensor& scratch, const Tensor& norm,
               CudaStream stream) {
                with_floating(parameters, [&]<typename T>(T) {
                    const AdamStepCuda<T> args{parameters.shape()[0],
                                               parameters.data<T>(),
                                               gradient.data<T>(),
                                               exp_avg.data<T>(),
                                               exp_avg_sq.data<T>(),
                                               step.data<const float>(),
                                               lr.data<const float>(),
                                               beta1,
                                               beta2,
                                               eps,
                                               max_norm,
                                               scratch.data<T>(),
                                               norm.data<T>()};
                    ReleaseGil release;
                    adam_cuda(args, handle_of(stream));
                });
            },
            "parameters"_a, "gradient"_a, "exp_avg"_a, "exp_avg_sq"_a, "step"_a, "lr"_a, "beta1"_a,
            "beta2"_a, "eps"_a, "max_norm"_a, "scratch"_a, "norm"_a, "stream"_a);
    });
}

}  // namespace pyqmix
