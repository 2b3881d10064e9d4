#include "bindings/ops/td_target.h"

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/ops/mix.h"

namespace pyqmix {
namespace {

template <typename T>
TdTarget<T> args_of(const MixTensors& mixer, const TargetTensors& target) {
    TdTarget<T> args = target_args<T>(target);
    args.mixer = mix_inputs<T>(mixer);
    return args;
}

}  // namespace

void bind_td_target(py::module_& module) {
    using namespace py::literals;
    module.def(
        "td_target_cpu",
        [](const MixTensors& mixer, const TargetTensors& target, int threads) {
            return with_floating(written_target(target), [&]<typename T>(T) {
                const auto args = args_of<T>(mixer, target);
                ReleaseGil release;
                return td_target_cpu(args, threads);
            });
        },
        "mixer"_a, "target"_a, "threads"_a);
    if_with_cuda([&](auto) {
        py::class_<MissingAction>(module, "MissingAction")
            .def(py::init<>())
            .def("take", &MissingAction::take);
        module.def(
            "td_target_cuda",
            [](const MixTensors& mixer, const TargetTensors& target, MissingAction& missing,
               CudaStream stream) {
                with_floating_or_bfloat16(written_target(target), [&]<typename T>(T) {
                    const auto args = args_of<T>(mixer, target);
                    ReleaseGil release;
                    td_target_cuda(args, missing, handle_of(stream));
                });
            },
            "mixer"_a, "target"_a, "missing"_a, "stream"_a);
    });
}

}  // namespace pyqmix
