// The agents' values in native rollouts: the forward pass of pyqmix/nn/agents.py, in float32.
//
// What a row becomes does not depend on the rows beside it: every output adds its products in the
// order of the inputs. So an episode is the same in whatever company it is played.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pyqmix {

// Scratch memory of one thread.
using Scratch = std::vector<float>;

class Policy {
   public:
    virtual ~Policy() = default;

    virtual std::int64_t n_agents() const = 0;
    virtual std::int64_t obs_dim() const = 0;
    virtual std::int64_t n_actions() const = 0;
    virtual std::int64_t hidden_dim() const = 0;  // of one agent's hidden state; 0: it has none
    virtual std::int64_t weights() const = 0;     // how many numbers load() takes

    // Takes all parameters, one after another in the order of the module's parameters(), each as
    // PyTorch lays it out. Not while another thread uses the policy.
    virtual void load(std::span<const float> weights) = 0;

    // Maps obs (K, n, O) of K episodes to qs (K, n, A), and hidden (K, n, H) to the next one in
    // place. Any number of threads at once, each with its own scratch.
    virtual void values(std::int64_t episodes, const float* obs, float* hidden, float* qs,
                        Scratch& scratch) const = 0;
};

// A linear layer, its weights transposed and their columns padded with zeros to whole vectors.
struct DenseLayer {
    static constexpr std::int64_t kVector = 16;

    std::int64_t inputs = 0, outputs = 0, width = 0;  // width: outputs, padded
    std::int64_t biases = 1;                          // row r has bias r mod biases
    std::vector<float> weight;                        // (inputs, width)
    std::vector<float> bias;                          // (biases, width)

    DenseLayer() = default;
    DenseLayer(std::int64_t inputs, std::int64_t outputs, std::int64_t biases);

    // Reads weight (outputs, inputs + columns) and bias (outputs), and returns what follows. The
    // surplus columns are weights of a one-hot agent id, which go into that agent's bias.
    const float* load(const float* from, std::int64_t columns);
};

// Linear - ReLU - linear - ReLU - linear, the first with a one-hot agent id unless it is left out.
class MlpPolicy final : public Policy {
   public:
    MlpPolicy(std::int64_t n_agents, std::int64_t obs_dim, std::int64_t hidden_dim,
              std::int64_t n_actions, bool agent_id);

    std::int64_t weights() const override;
    std::int64_t hidden_dim() const override { return 0; }
    std::int64_t n_actions() const override { return layers_[2].outputs; }
    std::int64_t n_agents() const override { return n_agents_; }
    std::int64_t obs_dim() const override { return layers_[0].inputs; }
    void load(std::span<const float> weights) override;
    void values(std::int64_t episodes, const float* obs, float* hidden, float* qs,
                Scratch& scratch) const override;

   private:
    std::int64_t n_agents_;
    bool agent_id_;
    DenseLayer layers_[3];
};

}  // namespace pyqmix
