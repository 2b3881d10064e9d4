#include "play/policy.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "base/simd_dispatch.h"
#include "play/policy_cpu.h"

namespace pyqmix {
namespace {

// Parameters of all networks, one after another.
class Reader {
   public:
    Reader(std::span<const float> weights, std::int64_t expected) : at_(weights.data()) {
        if (static_cast<std::int64_t>(weights.size()) != expected)
            throw std::invalid_argument("weights: expected " + std::to_string(expected) +
                                        " numbers, got " + std::to_string(weights.size()));
    }
    // A parameter of so many numbers in each of so many networks.
    const float* take(std::int64_t networks, std::int64_t numbers) {
        const float* const from = at_;
        at_ += networks * numbers;
        return from;
    }

   private:
    const float* at_;
};

// The rows of each network: all of them where it is shared, else those of one agent.
template <typename Visit>
void for_networks(const PolicySizes& sizes, std::int64_t episodes, const float* obs, float* hidden,
                  float* qs, const Visit& visit) {
    const std::int64_t apart = sizes.networks();
    const std::int64_t rows = episodes * sizes.n_agents / apart;
    for (std::int64_t k = 0; k < apart; ++k)
        visit(k, PolicyRows{
                     rows,
                     {obs + k * sizes.obs_dim, apart * sizes.obs_dim},
                     sizes.obs_dim,
                     sizes.obs_scale.empty() ? nullptr : sizes.obs_scale.data(),
                     {hidden ? hidden + k * sizes.hidden_dim : nullptr, apart * sizes.hidden_dim},
                     {qs + k * sizes.n_actions, apart * sizes.n_actions}});
}

}  // namespace

Policy::Policy(const PolicySizes& sizes) : sizes_(sizes) {
    if (!sizes.obs_scale.empty() &&
        static_cast<std::int64_t>(sizes.obs_scale.size()) != sizes.obs_dim)
        throw std::invalid_argument("obs_scale: expected " + std::to_string(sizes.obs_dim) +
                                    " numbers, got " + std::to_string(sizes.obs_scale.size()));
}

DenseLayer::DenseLayer(std::int64_t in, std::int64_t out, std::int64_t agents)
    : inputs(in),
      outputs(out),
      width((out + kVector - 1) / kVector * kVector),
      biases(agents),
      weight(static_cast<std::size_t>(inputs * width)),
      bias(static_cast<std::size_t>(biases * width)) {}

void DenseLayer::load(const float* from_weight, const float* from_bias, std::int64_t columns) {
    const std::int64_t stride = inputs + columns;
    for (std::int64_t out = 0; out < outputs; ++out) {
        const float* row = from_weight + out * stride;
        for (std::int64_t in = 0; in < inputs; ++in) weight[in * width + out] = row[in];
        for (std::int64_t agent = 0; agent < biases; ++agent)
            bias[agent * width + out] = from_bias[out] + (columns > 0 ? row[inputs + agent] : 0.0f);
    }
}

MlpPolicy::MlpPolicy(const PolicySizes& sizes) : Policy(sizes) {
    for (std::int64_t k = 0; k < sizes.networks(); ++k) {
        layers_.emplace_back(sizes.obs_dim, sizes.hidden_dim,
                             std::max<std::int64_t>(1, sizes.id_columns()));
        layers_.emplace_back(sizes.hidden_dim, sizes.hidden_dim);
        layers_.emplace_back(sizes.hidden_dim, sizes.n_actions);
    }
}

std::int64_t MlpPolicy::weights() const {
    std::int64_t count = sizes().id_columns() * sizes().hidden_dim;
    for (const DenseLayer& layer : layers_) count += layer.outputs * (layer.inputs + 1);
    return count;
}

void MlpPolicy::load(std::span<const float> weights) {
    Reader reader(weights, this->weights());
    const std::int64_t networks = sizes().networks();
    for (int k = 0; k < kLayers; ++k) {
        const std::int64_t columns = k == 0 ? sizes().id_columns() : 0;
        const std::int64_t inputs = layers_[k].inputs + columns, outputs = layers_[k].outputs;
        const float* const weight = reader.take(networks, outputs * inputs);
        const float* const bias = reader.take(networks, outputs);
        for (std::int64_t network = 0; network < networks; ++network)
            layers_[network * kLayers + k].load(weight + network * outputs * inputs,
                                                bias + network * outputs, columns);
    }
}

void MlpPolicy::values(std::int64_t episodes, const float* obs, float*, float* qs,
                       PolicyScratch& scratch) const {
    std::int64_t width = sizes().obs_dim;
    for (int k = 0; k < kLayers; ++k) width += layers_[k].width;
    scratch.resize(static_cast<std::size_t>(kPolicyTileRows * width));
    const auto kernel = [&](std::int64_t network, const PolicyRows& rows) {
        PYQMIX_AT_SIMD_LEVEL(dense_layers, &layers_[network * kLayers], kLayers, rows,
                             scratch.data());
    };
    for_networks(sizes(), episodes, obs, nullptr, qs, kernel);
}

GruPolicy::GruPolicy(const PolicySizes& sizes) : Policy(sizes) {
    const std::int64_t hidden = sizes.hidden_dim;
    for (std::int64_t k = 0; k < sizes.networks(); ++k)
        networks_.push_back({{sizes.obs_dim, hidden, std::max<std::int64_t>(1, sizes.id_columns())},
                             {hidden, 3 * hidden},
                             {hidden, 3 * hidden},
                             {hidden, sizes.n_actions}});
}

std::int64_t GruPolicy::weights() const {
    std::int64_t count = sizes().id_columns() * sizes().hidden_dim;
    for (const GruNetwork& network : networks_)
        for (const DenseLayer* layer :
             {&network.first, &network.input, &network.hidden, &network.last})
            count += layer->outputs * (layer->inputs + 1);
    return count;
}

void GruPolicy::load(std::span<const float> weights) {
    Reader reader(weights, this->weights());
    const std::int64_t count = sizes().networks(), hidden = sizes().hidden_dim;
    const std::int64_t columns = sizes().id_columns(), actions = sizes().n_actions;
    const std::int64_t first = hidden * (sizes().obs_dim + columns), gates = 3 * hidden;
    const float* const first_weight = reader.take(count, first);
    const float* const first_bias = reader.take(count, hidden);
    const float* const weight_ih = reader.take(count, gates * hidden);
    const float* const weight_hh = reader.take(count, gates * hidden);
    const float* const bias_ih = reader.take(count, gates);
    const float* const bias_hh = reader.take(count, gates);
    const float* const last_weight = reader.take(count, actions * hidden);
    const float* const last_bias = reader.take(count, actions);
    for (std::int64_t k = 0; k < count; ++k) {
        GruNetwork& network = networks_[static_cast<std::size_t>(k)];
        network.first.load(first_weight + k * first, first_bias + k * hidden, columns);
        network.input.load(weight_ih + k * gates * hidden, bias_ih + k * gates);
        network.hidden.load(weight_hh + k * gates * hidden, bias_hh + k * gates);
        network.last.load(last_weight + k * actions * hidden, last_bias + k * actions);
    }
}

void GruPolicy::values(std::int64_t episodes, const float* obs, float* hidden, float* qs,
                       PolicyScratch& scratch) const {
    const GruNetwork& any = networks_.front();
    const std::int64_t width =
        sizes().obs_dim + any.first.width + any.input.width + any.hidden.width + any.last.width;
    scratch.resize(static_cast<std::size_t>(kPolicyTileRows * width));
    const auto kernel = [&](std::int64_t network, const PolicyRows& rows) {
        PYQMIX_AT_SIMD_LEVEL(gru_layers, networks_[static_cast<std::size_t>(network)], rows,
                             scratch.data());
    };
    for_networks(sizes(), episodes, obs, hidden, qs, kernel);
}

}  // namespace pyqmix
