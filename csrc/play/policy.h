// The agents' values in native rollouts: the forward pass of pyqmix/nn/agents.py, in float32.
//
// A row's values do not depend on the other rows of the call: every output adds its products in the
// order of the inputs. So an episode does not depend on the episodes that are played with it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/network_spec.h"

namespace pyqmix {

// Scratch memory of one thread.
using PolicyScratch = std::vector<float>;

class Policy {
   public:
    explicit Policy(const NetworkSpec& spec);
    virtual ~Policy() = default;

    const NetworkSpec& spec() const { return spec_; }
    // How many numbers load() takes, and of one agent's hidden state; 0: it has none.
    virtual std::int64_t weights() const = 0;
    virtual std::int64_t hidden_dim() const = 0;

    // Takes all parameters, one after another in the order of the module's parameters(), each as
    // PyTorch lays it out. Throws std::invalid_argument unless there are weights() of them. Not
    // while another thread uses the policy.
    virtual void load(std::span<const float> weights) = 0;

    // Maps obs (K, n, O) of K episodes to qs (K, n, A), and hidden (K, n, H) to the next one in
    // place. Any number of threads at once, each with its own scratch.
    virtual void values(std::int64_t episodes, const float* obs, float* hidden, float* qs,
                        PolicyScratch& scratch) const = 0;

   private:
    NetworkSpec spec_;
};

// Throws std::invalid_argument where a size does not fit.
std::shared_ptr<Policy> make_policy(const NetworkSpec& spec);

// A linear layer, its weights transposed and their columns padded with zeros to whole vectors.
struct DenseLayer {
    static constexpr std::int64_t kVector = 16;

    std::int64_t inputs = 0, outputs = 0, width = 0;  // width: outputs, padded
    std::int64_t biases = 1;                          // row r has bias r mod biases
    std::vector<float> weight;                        // (inputs, width)
    std::vector<float> bias;                          // (biases, width)

    DenseLayer() = default;
    DenseLayer(std::int64_t inputs, std::int64_t outputs, std::int64_t biases = 1);

    // Reads weight (outputs, inputs + columns) and bias (outputs). The surplus columns are weights
    // of a one-hot agent id, which go into that agent's bias.
    void load(const float* from_weight, const float* from_bias, std::int64_t columns = 0);
};

// Linear layers with a ReLU between each two.
class MlpPolicy final : public Policy {
   public:
    explicit MlpPolicy(const NetworkSpec& spec);

    std::int64_t weights() const override;
    std::int64_t hidden_dim() const override { return 0; }
    void load(std::span<const float> weights) override;
    void values(std::int64_t episodes, const float* obs, float* hidden, float* qs,
                PolicyScratch& scratch) const override;

   private:
    std::int64_t depth_;              // layers of a network
    std::vector<DenseLayer> layers_;  // those of the first network, then the next one's
};

// A gated recurrent unit between two linear layers, the first with a ReLU.
struct GruNetwork {
    DenseLayer first, input, hidden, last;  // input and hidden: the gates' r | z | n
};

class GruPolicy final : public Policy {
   public:
    explicit GruPolicy(const NetworkSpec& spec);

    std::int64_t weights() const override;
    std::int64_t hidden_dim() const override { return networks_.front().last.inputs; }
    void load(std::span<const float> weights) override;
    void values(std::int64_t episodes, const float* obs, float* hidden, float* qs,
                PolicyScratch& scratch) const override;

   private:
    std::vector<GruNetwork> networks_;
};

}  // namespace pyqmix
