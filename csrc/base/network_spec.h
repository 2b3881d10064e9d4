// Sizes of the networks: what training and acting have in common.
#pragma once

#include <cstdint>
#include <vector>

namespace pyqmix {

// A kind of agent network that both the training step and native rollouts compute.
enum class AgentKind { mlp, gru };

struct NetworkSpec {
    std::int64_t n_agents = 0, obs_dim = 0, n_actions = 0;
    AgentKind agent = AgentKind::mlp;
    std::vector<std::int64_t> hidden_dims;  // of an MLP any number; of a GRU two, the unit's second
    bool agent_id = true;          // a shared network reads, one-hot, for which agent it acts
    bool share_parameters = true;  // one network for all agents; else each has its own
    std::vector<float> obs_scale;  // (O), factors of the observations; empty: there are none
    // Of the mixing network: S; E; H, 0 for hypernetworks of one layer.
    std::int64_t state_dim = 0, embed_dim = 0, hypernet_dim = 0;

    std::int64_t networks() const { return share_parameters ? 1 : n_agents; }
    // Inputs of the first layer that are the agent's id.
    std::int64_t id_columns() const { return share_parameters && agent_id ? n_agents : 0; }
    // Outputs of each of the agent network's layers.
    std::vector<std::int64_t> sizes() const {
        std::vector<std::int64_t> all = hidden_dims;
        all.push_back(n_actions);
        return all;
    }
};

}  // namespace pyqmix
