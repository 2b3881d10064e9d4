#include "ops/td_target/td_target.h"

#include <optional>

#include "bindings/bindings.h"
#include "bindings/td_target_args.h"

namespace py = pybind11;

namespace pyqmix {
namespace {

template <typename T>
TdTarget<T> with_mixer(TdTarget<T> target, const MixInputs<T>& mixer) {
    target.mixer = mixer;
    return target;
}

}  // namespace

void bind_td_target(py::module_& module) {
    py::class_<TargetTensors>(module, "TdTargetTensors")
        .def(py::init([](std::int64_t n_actions, TensorRows next_qs,
                         std::optional<TensorRows> online_next_qs, TensorRows avail,
                         TensorRows rewards, TensorRows terminated, double gamma,
                         std::uintptr_t chosen_qs, std::uintptr_t y) {
                 return TargetTensors{
                     n_actions, next_qs,   online_next_qs.value_or(TensorRows{0, 0}),
                     avail,     rewards,   terminated,
                     gamma,     chosen_qs, y};
             }),
             py::kw_only(), py::arg("n_actions"), py::arg("next_qs"), py::arg("online_next_qs"),
             py::arg("avail"), py::arg("rewards"), py::arg("terminated"), py::arg("gamma"),
             py::arg("chosen_qs"), py::arg("y"));
    module.def(
        "td_target_cpu",
        [](const MixTensors& mixer, const TargetTensors& target, bool is_double, int threads) {
            py::gil_scoped_release release;
            return is_double
                       ? td_target_cpu(with_mixer(target.as<double>(), mixer.as<double>()), threads)
                       : td_target_cpu(with_mixer(target.as<float>(), mixer.as<float>()), threads);
        },
        py::arg("mixer"), py::arg("target"), py::kw_only(), py::arg("is_double"),
        py::arg("threads"));
#if defined(PYQMIX_WITH_CUDA)
    py::class_<MissingAction>(module, "MissingAction")
        .def(py::init<>())
        .def("take", &MissingAction::take);
    module.def(
        "td_target_cuda",
        [](const MixTensors& mixer, const TargetTensors& target, MissingAction& missing,
           int element_size, std::uintptr_t stream) {
            py::gil_scoped_release release;
            with_element_type(element_size, [&]<typename T>(T) {
                td_target_cuda(with_mixer(target.as<T>(), mixer.as<T>()), missing,
                               reinterpret_cast<void*>(stream));
            });
        },
        py::arg("mixer"), py::arg("target"), py::arg("missing"), py::kw_only(),
        py::arg("element_size"), py::arg("stream"));
#endif
}

}  // namespace pyqmix
