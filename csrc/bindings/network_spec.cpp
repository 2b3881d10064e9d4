#include "base/network_spec.h"

#include <pybind11/stl.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "bindings/bindings.h"
#include "learn/qmix_gradients.h"

namespace py = pybind11;

namespace pyqmix {
namespace {

AgentKind kind_of(const std::string& name) {
    if (name == "mlp") return AgentKind::mlp;
    if (name == "gru") return AgentKind::gru;
    throw std::invalid_argument("agent: expected mlp or gru, got '" + name + "'");
}

}  // namespace

void bind_network_spec(py::module_& module) {
    py::class_<NetworkSpec>(module, "NetworkSpec")
        .def(
            py::init([](std::int64_t n_agents, std::int64_t obs_dim, std::int64_t n_actions,
                        const std::string& agent, std::vector<std::int64_t> hidden_dims,
                        bool agent_id, bool share_parameters, std::vector<float> obs_scale,
                        std::int64_t state_dim, std::int64_t embed_dim, std::int64_t hypernet_dim) {
                return NetworkSpec{n_agents,
                                   obs_dim,
                                   n_actions,
                                   kind_of(agent),
                                   std::move(hidden_dims),
                                   agent_id,
                                   share_parameters,
                                   std::move(obs_scale),
                                   state_dim,
                                   embed_dim,
                                   hypernet_dim};
            }),
            py::kw_only(), py::arg("n_agents"), py::arg("obs_dim"), py::arg("n_actions"),
            py::arg("agent"), py::arg("hidden_dims"), py::arg("agent_id"),
            py::arg("share_parameters"), py::arg("obs_scale"), py::arg("state_dim"),
            py::arg("embed_dim"), py::arg("hypernet_dim"))
        .def_property_readonly("parameters", &count_parameters);
}

}  // namespace pyqmix
