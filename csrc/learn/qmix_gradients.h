// Loss and gradients of a whole QMIX training step on the CPU, with feed-forward or recurrent
// agents. One call computes the agents' values by the online and by the target network, the
// one-step target, the mixing network's loss and the gradients of all parameters.
//
// T is float or double. The result does not depend on the number of threads.
#pragma once

#include <cstdint>

#include "learn/agent.h"
#include "ops/qmixer/qmixer.h"

namespace pyqmix {

// Returns the number of all parameters, which lie one after another: first the agent network's
// in the order of its layers, then the mixing network's in the order of QMixer.parameters().
std::int64_t count_parameters(const NetworkSpec& spec);

// N steps of several episodes and their P points in time. The last N points are the steps' o', s'.
template <typename T>
struct StepRows {
    AgentPoints<T> points;                     // P, with the agents' observations
    std::int64_t steps = 0;                    // N
    Rows<const T> states;                      // (P, S)
    const std::int64_t* now = nullptr;         // (N,), the point of each step's o, s
    const std::uint8_t* next_avail = nullptr;  // (N, n, A)
    const std::int64_t* actions = nullptr;     // (N, n)
    const T* rewards = nullptr;                // (N,)
    const std::uint8_t* terminated = nullptr;  // (N,)
    const T* weights = nullptr;                // (N,), of the squared errors
};

template <typename T>
struct QMixStep {
    const NetworkSpec& spec;
    StepRows<T> rows;
    const T* online = nullptr;  // parameters of the online networks
    const T* target = nullptr;  // and of the target networks
    T gamma = T(0);
    bool double_q = false;
    T* gradients = nullptr;  // of `online`, written
    T* q_tot = nullptr;      // (N,), written
    T* targets = nullptr;    // (N,), written
};

struct QMixLoss {
    double loss = 0.0;
    std::int64_t unavailable = kAllAvailable;  // as td_target_cpu returns it
};

// Returns the loss, sum over rows of weights · (targets - q_tot)². If an agent has no available
// action, only the targets are written.
template <typename T>
QMixLoss qmix_gradients_cpu(const QMixStep<T>& step, int threads);

}  // namespace pyqmix
