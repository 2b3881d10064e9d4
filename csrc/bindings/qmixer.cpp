#include "ops/qmixer/qmixer.h"

#include "base/workspace.h"
#include "bindings/bindings.h"
#include "bindings/td_target_args.h"
#include "bindings/tensor_args.h"

namespace py = pybind11;

namespace pyqmix {
namespace {

// Addresses of the parameters in the order of QMixer.parameters(): 14 with hypernetworks of two
// layers, 10 with one.
using Addresses = std::vector<std::uintptr_t>;

template <typename P>
QMixerLayers<P> layers_of(const Addresses& addresses) {
    QMixerLayers<P> layers;
    if (addresses.empty()) return layers;
    const bool two = addresses.size() == 14;
    auto next = addresses.begin();
    const auto read = [&](Linear<P>& layer) {
        layer.weight = reinterpret_cast<P*>(*next++);
        layer.bias = reinterpret_cast<P*>(*next++);
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

struct QMixerTensors {
    QMixerShape shape;
    std::int64_t rows;
    TensorRows agent_qs, states;
    Addresses parameters;

    template <typename T>
    QMixerInputs<T> as() const {
        return {shape, rows, rows_of<const T>(agent_qs), rows_of<const T>(states),
                layers_of<const T>(parameters)};
    }
};

template <typename T>
T* at(std::uintptr_t address) {
    return reinterpret_cast<T*>(address);
}

template <typename T>
T* kept(const Workspace* saved) {
    return saved ? static_cast<T*>(saved->data()) : nullptr;
}

}  // namespace

void bind_qmixer(py::module_& module) {
    py::class_<Workspace>(module, "Workspace").def_property_readonly("nbytes", &Workspace::bytes);
    py::class_<QMixerTensors>(module, "QMixerTensors")
        .def(py::init([](std::int64_t rows, std::int64_t n_agents, std::int64_t state_dim,
                         std::int64_t embed_dim, std::int64_t hypernet_dim, TensorRows agent_qs,
                         TensorRows states, Addresses parameters) {
                 return QMixerTensors{{n_agents, state_dim, embed_dim, hypernet_dim},
                                      rows,
                                      agent_qs,
                                      states,
                                      std::move(parameters)};
             }),
             py::kw_only(), py::arg("rows"), py::arg("n_agents"), py::arg("state_dim"),
             py::arg("embed_dim"), py::arg("hypernet_dim"), py::arg("agent_qs"), py::arg("states"),
             py::arg("parameters"))
        .def("activations", [](const QMixerTensors& in, bool is_double) {
            const std::int64_t bytes =
                is_double ? qmixer_saved<double>(in.shape, in.rows) * std::int64_t{sizeof(double)}
                          : qmixer_saved<float>(in.shape, in.rows) * std::int64_t{sizeof(float)};
            return std::make_unique<Workspace>(static_cast<std::size_t>(bytes));
        });
    module.def(
        "qmixer_forward_cpu",
        [](const QMixerTensors& in, std::uintptr_t q_tot, Workspace* saved, bool is_double,
           int threads) {
            py::gil_scoped_release release;
            if (is_double)
                qmixer_forward_cpu(in.as<double>(), at<double>(q_tot), kept<double>(saved),
                                   threads);
            else
                qmixer_forward_cpu(in.as<float>(), at<float>(q_tot), kept<float>(saved), threads);
        },
        py::arg("inputs"), py::arg("q_tot"), py::arg("saved").none(true), py::kw_only(),
        py::arg("is_double"), py::arg("threads"));
    module.def(
        "qmixer_backward_cpu",
        [](const QMixerTensors& in, Workspace* saved, const TensorRows& grad_q_tot,
           const Addresses& grads, std::uintptr_t grad_agent_qs, bool is_double, int threads) {
            py::gil_scoped_release release;
            if (is_double)
                qmixer_backward_cpu(in.as<double>(), kept<const double>(saved),
                                    rows_of<const double>(grad_q_tot), layers_of<double>(grads),
                                    at<double>(grad_agent_qs), threads);
            else
                qmixer_backward_cpu(in.as<float>(), kept<const float>(saved),
                                    rows_of<const float>(grad_q_tot), layers_of<float>(grads),
                                    at<float>(grad_agent_qs), threads);
        },
        py::arg("inputs"), py::arg("saved"), py::arg("grad_q_tot"), py::arg("grads"),
        py::arg("grad_agent_qs"), py::kw_only(), py::arg("is_double"), py::arg("threads"));
    module.def(
        "qmixer_loss_cpu",
        [](const QMixerTensors& in, std::uintptr_t targets, std::uintptr_t weights,
           std::uintptr_t q_tot, const Addresses& grads, std::uintptr_t grad_agent_qs,
           bool is_double, int threads) {
            py::gil_scoped_release release;
            const auto run = [&](auto zero) {
                using T = decltype(zero);
                const SquaredError<T> error{at<const T>(targets), at<const T>(weights),
                                            at<T>(q_tot)};
                return qmixer_loss_cpu(in.as<T>(), error, layers_of<T>(grads), at<T>(grad_agent_qs),
                                       threads);
            };
            return is_double ? run(double{}) : run(float{});
        },
        py::arg("inputs"), py::kw_only(), py::arg("targets"), py::arg("weights"), py::arg("q_tot"),
        py::arg("grads"), py::arg("grad_agent_qs"), py::arg("is_double"), py::arg("threads"));
    module.def(
        "qmixer_td_target_cpu",
        [](const QMixerTensors& in, const TargetTensors& target, bool is_double, int threads) {
            py::gil_scoped_release release;
            return is_double ? qmixer_td_target_cpu(in.as<double>(), target.as<double>(), threads)
                             : qmixer_td_target_cpu(in.as<float>(), target.as<float>(), threads);
        },
        py::arg("inputs"), py::arg("target"), py::kw_only(), py::arg("is_double"),
        py::arg("threads"));
}

}  // namespace pyqmix
