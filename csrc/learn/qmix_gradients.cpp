#include "learn/qmix_gradients.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/zero_block.h"

namespace pyqmix {
namespace {

// Calls visit(pointer to a parameter, its size) for all parameters in their order.
template <typename P, typename Visit>
void for_parameters(const NetworkSpec& spec, AgentLayers<P>& agent, QMixerLayers<P>& mixer,
                    const Visit& visit) {
    for_parameters(spec, agent, visit);
    const auto linear = [&](Linear<P>& layer, std::int64_t outputs, std::int64_t width) {
        visit(layer.weight, outputs * width);
        visit(layer.bias, outputs);
    };
    const std::int64_t n = spec.n_agents, state = spec.state_dim;
    const std::int64_t embed = spec.embed_dim, hyper = spec.hypernet_dim;
    const bool two = hyper > 0;
    linear(mixer.w1_in, two ? hyper : n * embed, state);
    if (two) linear(mixer.w1_out, n * embed, hyper);
    linear(mixer.b1, embed, state);
    linear(mixer.w_final_in, two ? hyper : embed, state);
    if (two) linear(mixer.w_final_out, embed, hyper);
    linear(mixer.v_in, embed, state);
    linear(mixer.v_out, 1, embed);
}

// Parameters, or their gradients, in one block of memory.
template <typename P>
struct Layers {
    AgentLayers<P> agent;
    QMixerLayers<P> mixer;

    Layers(const NetworkSpec& spec, P* block) {
        for_parameters(spec, agent, mixer, [&](P*& at, std::int64_t size) {
            at = block;
            block += size;
        });
    }
};

void require_below(const char* name, const std::int64_t* values, std::int64_t count,
                   std::int64_t end) {
    for (std::int64_t k = 0; k < count; ++k)
        if (values[k] < 0 || values[k] >= end)
            throw std::invalid_argument(std::string(name) + ": expected integers from 0 to " +
                                        std::to_string(end - 1) + ", got " +
                                        std::to_string(values[k]));
}

}  // namespace

std::int64_t count_parameters(const NetworkSpec& spec) {
    std::int64_t count = 0;
    AgentLayers<float> agent;
    QMixerLayers<float> mixer;
    for_parameters(spec, agent, mixer, [&](float*&, std::int64_t size) { count += size; });
    return count;
}

template <typename T>
QMixLoss qmix_gradients_cpu(const QMixStep<T>& step, int threads) {
    const StepRows<T>& rows = step.rows;
    const NetworkSpec& spec = step.spec;
    const std::int64_t n = spec.n_agents, n_actions = spec.n_actions;
    const std::int64_t width = n * n_actions, state_dim = spec.state_dim;
    const std::int64_t points = rows.points.points;
    const std::int64_t next = points - rows.steps;  // the first of o', s'
    require_below("now", rows.now, rows.steps, points);
    require_below("actions", rows.actions, rows.steps * n, n_actions);
    const Layers<const T> online(spec, step.online), target(spec, step.target);
    const Layers<T> gradients(spec, step.gradients);

    // Without double-Q, feed-forward online networks skip the points that are only a step's o'.
    const bool all = step.double_q || spec.agent == AgentKind::gru;
    const std::int64_t seen = all ? points : *std::max_element(rows.now, rows.now + rows.steps) + 1;
    const auto online_agents = agent_pass<T>(spec, online.agent, rows.points);
    const auto target_agents = agent_pass<T>(spec, target.agent, rows.points);
    const T* const values = online_agents->forward(0, seen, true, threads);
    const T* const next_values = target_agents->forward(next, points, false, threads);

    const Scratch<T> chosen(rows.steps * n), states(rows.steps * state_dim);
    TdTarget<T> one_step;
    one_step.n_actions = n_actions;
    one_step.next_qs = {next_values, width};
    if (step.double_q) one_step.online_next_qs = {values + next * width, width};
    one_step.avail = {rows.next_avail, width};
    one_step.rewards = {rows.rewards, 1};
    one_step.terminated = {rows.terminated, 1};
    one_step.gamma = step.gamma;
    one_step.chosen_qs = chosen.data();
    one_step.y = step.targets;
    QMixerInputs<T> mixing;
    mixing.shape = {n, state_dim, spec.embed_dim, spec.hypernet_dim};
    mixing.rows = rows.steps;
    mixing.states = {rows.states[next], rows.states.stride};
    mixing.layers = target.mixer;
    QMixLoss out;
    out.unavailable = qmixer_td_target_cpu(mixing, one_step, threads);
    if (out.unavailable != kAllAvailable) return out;

    const auto for_chosen = [&](const auto& visit) {
        for (std::int64_t r = 0; r < rows.steps; ++r)
            for (std::int64_t i = 0; i < n; ++i)
                visit(r * n + i, rows.now[r] * width + i * n_actions + rows.actions[r * n + i]);
    };
    for_chosen([&](std::int64_t to, std::int64_t from) { chosen.data()[to] = values[from]; });
    for (std::int64_t r = 0; r < rows.steps; ++r)
        std::copy_n(rows.states[rows.now[r]], state_dim, states.data() + r * state_dim);
    mixing.agent_qs = {chosen.data(), n};
    mixing.states = {states.data(), state_dim};
    mixing.layers = online.mixer;
    const Scratch<T> grad_chosen(rows.steps * n);
    const ZeroBlock<T> grad_values(seen * width);
    out.loss = qmixer_loss_cpu(mixing, SquaredError<T>{step.targets, rows.weights, step.q_tot},
                               gradients.mixer, grad_chosen.data(), threads);
    for_chosen([&](std::int64_t from, std::int64_t to) {
        grad_values.data()[to] = grad_chosen.data()[from];
    });
    online_agents->backward(grad_values.data(), gradients.agent, threads);
    return out;
}

template QMixLoss qmix_gradients_cpu(const QMixStep<float>&, int);
template QMixLoss qmix_gradients_cpu(const QMixStep<double>&, int);

}  // namespace pyqmix
