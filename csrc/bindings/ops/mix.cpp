#include "bindings/ops/mix.h"

#include "bindings/bindings.h"
#include "bindings/gil.h"

namespace pyqmix {
namespace {

template <typename T>
MixForward<T> forward_args(const MixTensors& inputs, const Tensor& q_tot) {
    return {mix_inputs<T>(inputs), q_tot.data<T>()};
}

// The gradients are contiguous, in the order of the inputs.
template <typename T>
MixBackward<T> backward_args(const MixTensors& inputs, const Tensor& grad_q_tot,
                             const MixTensors& grads) {
    const MixInputs<T> in = mix_inputs<T>(inputs);
    const auto& [agent_qs, w1, b1, w_final, v] = grads;
    return {in,
            grad_q_tot.rows<const T>(),
            {agent_qs.data<T>(), in.n_agents},
            {w1.data<T>(), in.n_agents * in.embed_dim},
            {b1.data<T>(), in.embed_dim},
            {w_final.data<T>(), in.embed_dim},
            {v.data<T>(), 1}};
}

}  // namespace

void bind_mix(py::module_& module) {
    using namespace py::literals;
    module.def(
        "mix_forward_cpu",
        [](const MixTensors& inputs, const Tensor& q_tot, int threads) {
            with_floating(q_tot, [&]<typename T>(T) {
                const auto args = forward_args<T>(inputs, q_tot);
                ReleaseGil release;
                mix_forward_cpu(args, threads);
            });
        },
        "inputs"_a, "q_tot"_a, "threads"_a);
    module.def(
        "mix_backward_cpu",
        [](const MixTensors& inputs, const Tensor& grad_q_tot, const MixTensors& grads,
           int threads) {
            with_floating(grad_q_tot, [&]<typename T>(T) {
                const auto args = backward_args<T>(inputs, grad_q_tot, grads);
                ReleaseGil release;
                mix_backward_cpu(args, threads);
            });
        },
        "inputs"_a, "grad_q_tot"_a, "grads"_a, "threads"_a);
    if_with_cuda([&](auto) {
        module.def(
            "mix_forward_cuda",
            [](const MixTensors& inputs, const Tensor& q_tot, CudaStream stream) {
                with_floating_or_bfloat16(q_tot, [&]<typename T>(T) {
                    const auto args = forward_args<T>(inputs, q_tot);
                    ReleaseGil release;
                    mix_forward_cuda(args, handle_of(stream));
                });
            },
            "inputs"_a, "q_tot"_a, "stream"_a);
        module.def(
            "mix_backward_cuda",
            [](const MixTensors& inputs, const Tensor& grad_q_tot, const MixTensors& grads,
               CudaStream stream) {
                with_floating_or_bfloat16(grad_q_tot, [&]<typename T>(T) {
                    const auto args = backward_args<T>(inputs, grad_q_tot, grads);
                    ReleaseGil release;
                    mix_backward_cuda(args, handle_of(stream));
                });
            },
            "inputs"_a, "grad_q_tot"_a, "grads"_a, "stream"_a);
    });
}

}  // namespace pyqmix
