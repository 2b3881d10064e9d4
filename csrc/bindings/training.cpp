#include <utility>
#include <vector>

#include "bindings/bindings.h"
#include "bindings/tensors.h"
#include "learn/qmix_gradients.h"

namespace pyqmix {

void bind_training(py::module_& module) {
    using namespace py::literals;
    py::class_<QMixNetworks>(module, "QMixNetworks")
        .def(
            py::init([](std::int64_t n_agents, std::int64_t obs_dim, bool agent_id,
                        bool share_parameters, std::vector<std::int64_t> sizes, bool recurrent,
                        std::int64_t state_dim, std::int64_t embed_dim, std::int64_t hypernet_dim) {
                const std::int64_t groups = share_parameters ? 1 : n_agents;
                const std::int64_t one_hot = share_parameters && agent_id ? n_agents : 0;
                return QMixNetworks{{{groups, obs_dim, one_hot, std::move(sizes)}, recurrent},
                                    {n_agents, state_dim, embed_dim, hypernet_dim}};
            }),
            py::kw_only(), py::arg("n_agents"), py::arg("obs_dim"), py::arg("agent_id"),
            py::arg("share_parameters"), py::arg("sizes"), py::arg("recurrent"),
            py::arg("state_dim"), py::arg("embed_dim"), py::arg("hypernet_dim"))
        .def_property_readonly("parameters", &QMixNetworks::parameters);
    module.def(
        "qmix_gradients_cpu",
        [](const QMixNetworks& networks, std::vector<std::int64_t> point_counts, const Tensor& obs,
           const Tensor& states, const Tensor& now, const Tensor& next_avail, const Tensor& actions,
           const Tensor& rewards, const Tensor& terminated, const Tensor& weights,
           const Tensor& online, const Tensor& target, double gamma, bool double_q,
           const Tensor& gradients, const Tensor& q_tot, const Tensor& targets, int threads) {
            return with_floating(obs, [&]<typename T>(T) {
                const QMixStep<T> step{networks,
                                       {{obs.shape()[0], networks.mixer.n_agents,
                                         obs.data<const T>(), std::move(point_counts)},
                                        now.shape()[0],
                                        states.rows<const T>(),
                                        now.data<const std::int64_t>(),
                                        next_avail.data<const std::uint8_t>(),
                                        actions.data<const std::int64_t>(),
                                        rewards.data<const T>(),
                                        terminated.data<const std::uint8_t>(),
                                        weights.data<const T>()},
                                       online.data<const T>(),
                                       target.data<const T>(),
                                       static_cast<T>(gamma),
                                       double_q,
                                       gradients.data<T>(),
                                       q_tot.data<T>(),
                                       targets.data<T>()};
                py::gil_scoped_release release;
                const QMixLoss out = qmix_gradients_cpu(step, threads);
                return std::pair(out.loss, out.unavailable);
            });
        },
        "networks"_a, py::kw_only(), "point_counts"_a, "obs"_a, "states"_a, "now"_a, "next_avail"_a,
        "actions"_a, "rewards"_a, "terminated"_a, "weights"_a, "online"_a, "target"_a, "gamma"_a,
        "double_q"_a, "gradients"_a, "q_tot"_a, "targets"_a, "threads"_a);
}

}  // namespace pyqmix
