#include "bindings/bindings.h"
#include "bindings/tensor_args.h"
#include "ops/mix/mix.h"

namespace py = pybind11;

namespace pyqmix {
namespace {

struct Grads {
    std::uintptr_t agent_qs, w1, b1, w_final, v;
};

template <typename T>
MixForward<T> forward_args(const MixTensors& in, std::uintptr_t q_tot) {
    return {in.as<T>(), reinterpret_cast<T*>(q_tot)};
}

template <typename T>
MixBackward<T> backward_args(const MixTensors& in, const TensorRows& grad_q_tot, const Grads& out) {
    const auto rows = [](std::uintptr_t address, std::int64_t width) {
        return Rows<T>{reinterpret_cast<T*>(address), width};
    };
    return {in.as<T>(),
            rows_of<const T>(grad_q_tot),
            rows(out.agent_qs, in.n_agents),
            rows(out.w1, in.n_agents * in.embed_dim),
            rows(out.b1, in.embed_dim),
            rows(out.w_final, in.embed_dim),
            rows(out.v, 1)};
}

}  // namespace

void bind_mixer(py::module_& module) {
    py::class_<MixTensors>(module, "MixTensors")
        .def(py::init([](std::int64_t rows, std::int64_t n_agents, std::int64_t embed_dim,
                         TensorRows agent_qs, TensorRows w1, TensorRows b1, TensorRows w_final,
                         TensorRows v) {
                 return MixTensors{rows, n_agents, embed_dim, agent_qs, w1, b1, w_final, v};
             }),
             py::kw_only(), py::arg("rows"), py::arg("n_agents"), py::arg("embed_dim"),
             py::arg("agent_qs"), py::arg("w1"), py::arg("b1"), py::arg("w_final"), py::arg("v"));
    py::class_<Grads>(module, "MixGrads")
        .def(py::init([](std::uintptr_t agent_qs, std::uintptr_t w1, std::uintptr_t b1,
                         std::uintptr_t w_final,
                         std::uintptr_t v) { return Grads{agent_qs, w1, b1, w_final, v}; }),
             py::kw_only(), py::arg("agent_qs"), py::arg("w1"), py::arg("b1"), py::arg("w_final"),
             py::arg("v"));

    module.def(
        "mix_forward_cpu",
        [](const MixTensors& in, std::uintptr_t q_tot, bool is_double, int threads) {
            py::gil_scoped_release release;
            if (is_double)
                mix_forward_cpu(forward_args<double>(in, q_tot), threads);
            else
                mix_forward_cpu(forward_args<float>(in, q_tot), threads);
        },
        py::arg("inputs"), py::arg("q_tot"), py::kw_only(), py::arg("is_double"),
        py::arg("threads"));
    module.def(
        "mix_backward_cpu",
        [](const MixTensors& in, const TensorRows& grad_q_tot, const Grads& grads, bool is_double,
           int threads) {
            py::gil_scoped_release release;
            if (is_double)
                mix_backward_cpu(backward_args<double>(in, grad_q_tot, grads), threads);
            else
                mix_backward_cpu(backward_args<float>(in, grad_q_tot, grads), threads);
        },
        py::arg("inputs"), py::arg("grad_q_tot"), py::arg("grads"), py::kw_only(),
        py::arg("is_double"), py::arg("threads"));
#if defined(PYQMIX_WITH_CUDA)
    module.def(
        "mix_forward_cuda",
        [](const MixTensors& in, std::uintptr_t q_tot, int element_size, std::uintptr_t stream) {
            py::gil_scoped_release release;
            with_element_type(element_size, [&]<typename T>(T) {
                mix_forward_cuda(forward_args<T>(in, q_tot), reinterpret_cast<void*>(stream));
            });
        },
        py::arg("inputs"), py::arg("q_tot"), py::kw_only(), py::arg("element_size"),
        py::arg("stream"));
    module.def(
        "mix_backward_cuda",
        [](const MixTensors& in, const TensorRows& grad_q_tot, const Grads& grads, int element_size,
           std::uintptr_t stream) {
            py::gil_scoped_release release;
            with_element_type(element_size, [&]<typename T>(T) {
                mix_backward_cuda(backward_args<T>(in, grad_q_tot, grads),
                                  reinterpret_cast<void*>(stream));
            });
        },
        py::arg("inputs"), py::arg("grad_q_tot"), py::arg("grads"), py::kw_only(),
        py::arg("element_size"), py::arg("stream"));
#endif
}

}  // namespace pyqmix
