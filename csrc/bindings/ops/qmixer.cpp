#include "ops/qmixer/qmixer.h"

#include <tuple>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/ops/td_target.h"

namespace pyqmix {
namespace {

// In the order of QMixer.parameters(): 14 with hypernetworks of two layers, 10 with one.
using Parameters = std::vector<Tensor>;

template <typename P>
QMixerLayers<P> layers_of(const Parameters& parameters) {
    QMixerLayers<P> layers;
    if (parameters.empty()) return layers;
    const bool two = parameters.size() == 14;
    auto next = parameters.begin();
    const auto read = [&](Linear<P>& layer) {
        layer.weight = (next++)->template data<P>();
        layer.bias = (next++)->template data<P>();
    };
    read(layers.w1_in);
    if (two) read(layers.w1_out);
    read(layers.b1);
    read(layers.w_final_in);
    if (two) read(layers.w_final_out);
    read(layers.v_in);
    read(layers.v_out);
    return layers;
}

// agent_qs (R, n); states (R, S); the parameters.
using Network = std::tuple<Tensor, Tensor, Parameters>;

const Tensor& states_of(const Network& network) { return std::get<1>(network); }

template <typename T>
QMixerInputs<T> inputs_of(const Network& network) {
    const auto& [agent_qs, states, parameters] = network;
    const auto sizes = states.shape();
    const std::int64_t embed_dim = parameters.at(parameters.size() - 2).shape()[1];
    const std::int64_t hypernet_dim = parameters.size() == 14 ? parameters[0].shape()[0] : 0;
    return {{agent_qs.shape()[1], sizes[1], embed_dim, hypernet_dim},
            sizes[0],
            agent_qs.rows<const T>(),
            states.rows<const T>(),
            layers_of<const T>(parameters)};
}

}  // namespace

void bind_qmixer(py::module_& module) {
    using namespace py::literals;
    py::class_<Workspace>(module, "Workspace").def_property_readonly("nbytes", &Workspace::bytes);
    module.def(
        "qmixer_forward_cpu",
        [](const Network& network, const Tensor& q_tot, bool keep, int threads) {
            return with_floating(q_tot, [&]<typename T>(T) {
                const auto in = inputs_of<T>(network);
                T* const out = q_tot.data<T>();
                ReleaseGil release;
                auto kept = keep ? workspace_of<T>(qmixer_saved<T>(in.shape, in.rows)) : nullptr;
                qmixer_forward_cpu(in, out, data_of<T>(kept), threads);
                return kept;
            });
        },
        "network"_a, "q_tot"_a, "keep"_a, "threads"_a);
    module.def(
        "qmixer_backward_cpu",
        [](const Network& network, const Workspace& kept, const Tensor& grad_q_tot,
           const Parameters& grads, const Tensor& grad_agent_qs, int threads) {
            with_floating(grad_q_tot, [&]<typename T>(T) {
                const auto in = inputs_of<T>(network);
                const auto rows = grad_q_tot.rows<const T>();
                const auto layers = layers_of<T>(grads);
                T* const of_agents = grad_agent_qs.data<T>();
                ReleaseGil release;
                qmixer_backward_cpu(in, static_cast<const T*>(kept.data()), rows, layers, of_agents,
                                    threads);
            });
        },
        "network"_a, "kept"_a, "grad_q_tot"_a, "grads"_a, "grad_agent_qs"_a, "threads"_a);
    module.def(
        "qmixer_loss_cpu",
        [](const Network& network, const Tensor& targets, const Tensor& weights,
           const Tensor& q_tot, const Parameters& grads, const Tensor& grad_agent_qs, int threads) {
            return with_floating(q_tot, [&]<typename T>(T) {
                const auto in = inputs_of<T>(network);
                const SquaredError<T> error{targets.data<const T>(), weights.data<const T>(),
                                            q_tot.data<T>()};
                const auto layers = layers_of<T>(grads);
                T* const of_agents = grad_agent_qs.data<T>();
                ReleaseGil release;
                return qmixer_loss_cpu(in, error, layers, of_agents, threads);
            });
        },
        "network"_a, "targets"_a, "weights"_a, "q_tot"_a, "grads"_a, "grad_agent_qs"_a,
        "threads"_a);
    module.def(
        "qmixer_td_target_cpu",
        [](const Network& network, const TargetTensors& target, int threads) {
            return with_floating(states_of(network), [&]<typename T>(T) {
                const auto in = inputs_of<T>(network);
                const auto args = target_args<T>(target);
                ReleaseGil release;
                return qmixer_td_target_cpu(in, args, threads);
            });
        },
        "network"_a, "target"_a, "threads"_a);
}

}  // namespace pyqmix
