#include "rollout/policy.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "common/simd_dispatch.h"
#include "rollout/policy_cpu.h"

namespace pyqmix {

DenseLayer::DenseLayer(std::int64_t in, std::int64_t out, std::int64_t agents)
    : inputs(in),
      outputs(out),
      width((out + kVector - 1) / kVector * kVector),
      biases(agents),
      weight(static_cast<std::size_t>(inputs * width)),
      bias(static_cast<std::size_t>(biases * width)) {}

const float* DenseLayer::load(const float* from, std::int64_t columns) {
    const std::int64_t stride = inputs + columns;
    const float* own_bias = from + outputs * stride;
    for (std::int64_t out = 0; out < outputs; ++out) {
        const float* row = from + out * stride;
        for (std::int64_t in = 0; in < inputs; ++in) weight[in * width + out] = row[in];
        for (std::int64_t agent = 0; agent < biases; ++agent)
            bias[agent * width + out] = own_bias[out] + (columns > 0 ? row[inputs + agent] : 0.0f);
    }
    return own_bias + outputs;
}

MlpPolicy::MlpPolicy(std::int64_t n_agents, std::int64_t obs_dim, std::int64_t hidden_dim,
                     std::int64_t n_actions, bool agent_id)
    : n_agents_(n_agents),
      agent_id_(agent_id),
      layers_{{obs_dim, hidden_dim, agent_id ? n_agents : 1},
              {hidden_dim, hidden_dim, 1},
              {hidden_dim, n_actions, 1}} {}

std::int64_t MlpPolicy::weights() const {
    std::int64_t count = agent_id_ ? layers_[0].outputs * n_agents_ : 0;
    for (const DenseLayer& layer : layers_) count += layer.outputs * (layer.inputs + 1);
    return count;
}

void MlpPolicy::load(std::span<const float> weights) {
    if (static_cast<std::int64_t>(weights.size()) != this->weights())
        throw std::invalid_argument("weights: expected " + std::to_string(this->weights()) +
                                    " numbers, got " + std::to_string(weights.size()));
    const float* from = layers_[0].load(weights.data(), agent_id_ ? n_agents_ : 0);
    from = layers_[1].load(from, 0);
    layers_[2].load(from, 0);
}

void MlpPolicy::values(std::int64_t episodes, const float* obs, float*, float* qs,
                       Scratch& scratch) const {
    const std::int64_t rows = episodes * n_agents_;
    const auto kernel = [&](float* to) {
        PYQMIX_AT_SIMD_LEVEL(dense_layers, layers_, 3, rows, obs, qs, to)
    };
    std::int64_t width = 0;
    for (const DenseLayer& layer : layers_) width += layer.width;
    scratch.resize(static_cast<std::size_t>(kTileRows * width));
    kernel(scratch.data());
}

}  // namespace pyqmix
