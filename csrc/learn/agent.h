// The agents' network of a training step on the CPU, over the points of packed episodes and back:
// feed-forward, or with a gated recurrent unit between its first layer and its last.
//
// T is float or double. The result does not depend on the number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/network_spec.h"
#include "ops/gru/gru.h"
#include "ops/mlp/mlp.h"

namespace pyqmix {

// Parameters, or their gradients.
template <typename P>
struct AgentLayers {
    std::vector<MlpLayer<P>> linear;
    GruParameters<P> unit;  // of a recurrent network
};

// Calls visit(pointer, size) for all parameters in their order, which is that of the layers.
template <typename P, typename Visit>
void for_parameters(const NetworkSpec& spec, AgentLayers<P>& of, const Visit& visit) {
    const std::int64_t groups = spec.networks();
    const std::vector<std::int64_t> sizes = spec.sizes();
    std::int64_t inputs = spec.obs_dim + spec.id_columns();
    of.linear.clear();
    for (std::size_t k = 0; k < sizes.size(); ++k) {
        const std::int64_t outputs = sizes[k];
        if (spec.agent == AgentKind::gru && k == 1) {
            visit(of.unit.weight_ih, groups * 3 * outputs * inputs);
            visit(of.unit.weight_hh, groups * 3 * outputs * outputs);
            visit(of.unit.bias_ih, groups * 3 * outputs);
            visit(of.unit.bias_hh, groups * 3 * outputs);
        } else {
            MlpLayer<P>& layer = of.linear.emplace_back();
            visit(layer.weight, groups * outputs * inputs);
            visit(layer.bias, groups * outputs);
        }
        inputs = outputs;
    }
}

// The observations of all agents at P points in time. Of several episodes the points of time 0 come
// first, then those of time 1, and so on; `counts` says how many of each.
template <typename T>
struct AgentPoints {
    std::int64_t points = 0;
    const T* obs = nullptr;            // (P, n, O)
    std::vector<std::int64_t> counts;  // positive, never rising, with a sum of P; of a GRU only
};

// One network's pass over points. Spec, parameters and points must outlive it.
template <typename T>
class AgentPass {
   public:
    virtual ~AgentPass() = default;

    // Returns the values (end - first, n, A) of points [first, end), which live as long as this. A
    // recurrent network computes those of all points, and goes back only from all.
    virtual const T* forward(std::int64_t first, std::int64_t end, bool keep, int threads) = 0;

    // Writes the gradients, after a forward with `keep`; grad_values is laid out as
    // the values are.
    virtual void backward(const T* grad_values, const AgentLayers<T>& grads, int threads) = 0;
};

template <typename T>
std::unique_ptr<AgentPass<T>> agent_pass(const NetworkSpec& spec,
                                         const AgentLayers<const T>& layers,
                                         const AgentPoints<T>& points);

}  // namespace pyqmix
