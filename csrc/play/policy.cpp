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
    // Takes a parameter of `numbers` numbers in each of `networks` networks.
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
void for_networks(const Policy& policy, std::int64_t episodes, const float* obs, float* hidden,
                  float* qs, const Visit& visit) {
    const NetworkSpec& spec = policy.spec();
    const std::int64_t apart = spec.networks(), hidden_dim = policy.hidden_dim();
    const std::int64_t rows = episodes * spec.n_agents / apart;
    for (std::int64_t k = 0; k < apart; ++k)
        visit(k, PolicyRows{rows,
                            {obs + k * spec.obs_dim, apart * spec.obs_dim},
                            spec.obs_dim,
                            spec.obs_scale.empty() ? nullptr : spec.obs_scale.data(),
                            {hidden ? hidden + k * hidden_dim : nullptr, apart * hidden_dim},
                            {qs + k * spec.n_actions, apart * spec.n_actions}});
}

}  // namespace

Policy::Policy(const NetworkSpec& spec) : spec_(spec) {
    if (!spec.obs_scale.empty() && static_cast<std::int64_t>(spec.obs_scale.size()) != spec.obs_dim)
        throw std::invalid_argument("obs_scale: expected " + std::to_string(spec.obs_dim) +
                                    " numbers, got " + std::to_string(spec.obs_scale.size()));
}

std::shared_ptr<Policy> make_policy(const NetworkSpec& spec) {
    if (spec.agent == AgentKind::gru) return std::make_shared<GruPolicy>(spec);
    return std::make_shared<MlpPolicy>(spec);
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

MlpPolicy::MlpPolicy(const NetworkSpec& spec) : Policy(spec) {
    const std::vector<std::int64_t> sizes = spec.sizes();
    depth_ = static_cast<std::int64_t>(sizes.size());
    for (std::int64_t network = 0; network < spec.networks(); ++network) {
        std::int64_t inputs = spec.obs_dim, biases = std::max<std::int64_t>(1, spec.id_columns());
        for (const std::int64_t outputs : sizes) {
            layers_.emplace_back(inputs, outputs, biases);
            inputs = outputs;
            biases = 1;
        }
    }
}

std::int64_t MlpPolicy::weights() const {
    std::int64_t count = spec().id_columns() * layers_.front().outputs;
    for (const DenseLayer& layer : layers_) count += layer.outputs * (layer.inputs + 1);
    return count;
}

void MlpPolicy::load(std::span<const float> weights) {
    Reader reader(weights, this->weights());
    const std::int64_t networks = spec().networks();
    for (std::int64_t k = 0; k < depth_; ++k) {
        const std::int64_t columns = k == 0 ? spec().id_columns() : 0;
        const std::int64_t inputs = layers_[k].inputs + columns, outputs = layers_[k].outputs;
        const float* const weight = reader.take(networks, outputs * inputs);
        const float* const bias = reader.take(networks, outputs);
        for (std::int64_t network = 0; network < networks; ++network)
            layers_[network * depth_ + k].load(weight + network * outputs * inputs,
                                               bias + network * outputs, columns);
    }
}

void MlpPolicy::values(std::int64_t episodes, const float* obs, float*, float* qs,
                       PolicyScratch& scratch) const {
    std::int64_t width = spec().obs_dim;
    for (std::int64_t k = 0; k < depth_; ++k) width += layers_[k].width;
    scratch.resize(static_cast<std::size_t>(kPolicyTileRows * width));
    const auto kernel = [&](std::int64_t network, const PolicyRows& rows) {
        PYQMIX_AT_SIMD_LEVEL(dense_layers, &layers_[network * depth_], depth_, rows,
                             scratch.data());
    };
    for_networks(*this, episodes, obs, nullptr, qs, kernel);
}

GruPolicy::GruPolicy(const NetworkSpec& spec) : Policy(spec) {
    if (spec.hidden_dims.size() != 2)
        throw std::invalid_argument("hidden_dims: expected two widths, got " +
                                    std::to_string(spec.hidden_dims.size()));
    const std::int64_t inputs = spec.hidden_dims[0], hidden = spec.hidden_dims[1];
    const std::int64_t biases = std::max<std::int64_t>(1, spec.id_columns());
    for (std::int64_t k = 0; k < spec.networks(); ++k)
        networks_.push_back({{spec.obs_dim, inputs, biases},
                             {inputs, 3 * hidden},
                             {hidden, 3 * hidden},
                             {hidden, spec.n_actions}});
}

std::int64_t GruPolicy::weights() const {
    std::int64_t count = spec().id_columns() * networks_.front().first.outputs;
    for (const GruNetwork& network : networks_)
        for (const DenseLayer* layer :
             {&network.first, &network.input, &network.hidden, &network.last})
            count += layer->outputs * (layer->inputs + 1);
    return count;
}

void GruPolicy::load(std::span<const float> weights) {
    Reader reader(weights, this->weights());
    const std::int64_t count = spec().networks(), columns = spec().id_columns();
    const std::int64_t inputs = spec().hidden_dims[0], hidden = spec().hidden_dims[1];
    const std::int64_t actions = spec().n_actions, gates = 3 * hidden;
    const std::int64_t first = inputs * (spec().obs_dim + columns);
    const float* const first_weight = reader.take(count, first);
    const float* const first_bias = reader.take(count, inputs);
    const float* const weight_ih = reader.take(count, gates * inputs);
    const float* const weight_hh = reader.take(count, gates * hidden);
    const float* const bias_ih = reader.take(count, gates);
    const float* const bias_hh = reader.take(count, gates);
    const float* const last_weight = reader.take(count, actions * hidden);
    const float* const last_bias = reader.take(count, actions);
    for (std::int64_t k = 0; k < count; ++k) {
        GruNetwork& network = networks_[static_cast<std::size_t>(k)];
        network.first.load(first_weight + k * first, first_bias + k * inputs, columns);
        network.input.load(weight_ih + k * gates * inputs, bias_ih + k * gates);
        network.hidden.load(weight_hh + k * gates * hidden, bias_hh + k * gates);
        network.last.load(last_weight + k * actions * hidden, last_bias + k * actions);
    }
}

void GruPolicy::values(std::int64_t episodes, const float* obs, float* hidden, float* qs,
                       PolicyScratch& scratch) const {
    const GruNetwork& any = networks_.front();
    const std::int64_t width =
        spec().obs_dim + any.first.width + any.input.width + any.hidden.width + any.last.width;
    scratch.resize(static_cast<std::size_t>(kPolicyTileRows * width));
    const auto kernel = [&](std::int64_t network, const PolicyRows& rows) {
        PYQMIX_AT_SIMD_LEVEL(gru_layers, networks_[static_cast<std::size_t>(network)], rows,
                             scratch.data());
    };
    for_networks(*this, episodes, obs, hidden, qs, kernel);
}

}  // namespace pyqmix
