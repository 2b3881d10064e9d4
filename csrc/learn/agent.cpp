#include "learn/agent.h"

#include "base/workspace.h"

namespace pyqmix {
namespace {

// The rows of a point: one for each agent, or one for all where each agent has its own parameters.
std::int64_t rows_of_point(const NetworkSpec& spec) { return spec.n_agents / spec.networks(); }

template <typename T>
class MlpPass final : public AgentPass<T> {
   public:
    MlpPass(const NetworkSpec& spec, const AgentLayers<const T>& layers,
            const AgentPoints<T>& points)
        : points_(points), of_point_(rows_of_point(spec)) {
        in_.shape = {spec.networks(), spec.obs_dim, spec.id_columns(), spec.sizes()};
        in_.layers = layers.linear;
    }

    const T* forward(std::int64_t first, std::int64_t end, bool keep, int threads) override {
        const std::int64_t width = in_.shape.groups * in_.shape.input_dim;
        in_.rows = (end - first) * of_point_;
        in_.features = {points_.obs + first * of_point_ * width, width};
        values_ = Scratch<T>(in_.rows * in_.shape.groups * in_.shape.sizes.back());
        if (keep) saved_ = Scratch<T>(mlp_saved<T>(in_.shape, in_.rows));
        mlp_forward_cpu(in_, values_.data(), keep ? saved_.data() : nullptr, threads);
        return values_.data();
    }

    void backward(const T* grad_values, const AgentLayers<T>& grads, int threads) override {
        const std::int64_t width = in_.shape.groups * in_.shape.sizes.back();
        mlp_backward_cpu<T>(in_, values_.data(), saved_.data(),
                            {{grad_values, width}, grads.linear}, threads);
    }

   private:
    const AgentPoints<T>& points_;
    std::int64_t of_point_;
    MlpInputs<T> in_;
    Scratch<T> values_{0}, saved_{0};
};

template <typename T>
class GruPass final : public AgentPass<T> {
   public:
    GruPass(const NetworkSpec& spec, const AgentLayers<const T>& layers,
            const AgentPoints<T>& points)
        : groups_(spec.networks()),
          rows_(points.points * rows_of_point(spec)),
          inputs_(spec.hidden_dims[0]),
          hidden_(spec.hidden_dims[1]),
          n_actions_(spec.n_actions),
          n_agents_(spec.n_agents),
          features_(rows_ * groups_ * inputs_),
          states_(rows_ * groups_ * hidden_),
          values_(rows_ * groups_ * n_actions_) {
        const std::int64_t width = groups_ * spec.obs_dim;
        first_ = {{groups_, spec.obs_dim, spec.id_columns(), {inputs_}, true},
                  rows_,
                  {points.obs, width},
                  {layers.linear[0]}};
        unit_ = {
            {groups_, inputs_, hidden_}, {}, {features_.data(), groups_ * inputs_}, layers.unit};
        for (const std::int64_t episodes : points.counts)
            unit_.batch_sizes.push_back(episodes * rows_of_point(spec));
        last_ = {{groups_, hidden_, 0, {n_actions_}},
                 rows_,
                 {states_.data(), groups_ * hidden_},
                 {layers.linear[1]}};
    }

    const T* forward(std::int64_t first, std::int64_t, bool keep, int threads) override {
        if (keep) gates_ = Scratch<T>(gru_saved<T>(unit_.shape, rows_));
        mlp_forward_cpu<T>(first_, features_.data(), nullptr, threads);
        gru_forward_cpu(unit_, states_.data(), keep ? gates_.data() : nullptr, threads);
        mlp_forward_cpu<T>(last_, values_.data(), nullptr, threads);
        return values_.data() + first * n_agents_ * n_actions_;
    }

    void backward(const T* grad_values, const AgentLayers<T>& grads, int threads) override {
        const Scratch<T> grad_states(rows_ * groups_ * hidden_);
        const Scratch<T> grad_features(rows_ * groups_ * inputs_);
        mlp_backward_cpu<T>(
            last_, nullptr, nullptr,
            {{grad_values, groups_ * n_actions_}, {grads.linear[1]}, grad_states.data()}, threads);
        gru_backward_cpu<T>(unit_, states_.data(), gates_.data(),
                            {grad_states.data(), groups_ * hidden_}, grads.unit,
                            grad_features.data(), threads);
        mlp_backward_cpu<T>(first_, features_.data(), nullptr,
                            {{grad_features.data(), groups_ * inputs_}, {grads.linear[0]}},
                            threads);
    }

   private:
    std::int64_t groups_, rows_, inputs_, hidden_, n_actions_, n_agents_;
    Scratch<T> features_, states_, values_, gates_{0};
    MlpInputs<T> first_, last_;
    GruInputs<T> unit_;
};

}  // namespace

template <typename T>
std::unique_ptr<AgentPass<T>> agent_pass(const NetworkSpec& spec,
                                         const AgentLayers<const T>& layers,
                                         const AgentPoints<T>& points) {
    if (spec.agent == AgentKind::gru) return std::make_unique<GruPass<T>>(spec, layers, points);
    return std::make_unique<MlpPass<T>>(spec, layers, points);
}

template std::unique_ptr<AgentPass<float>> agent_pass(const NetworkSpec&,
                                                      const AgentLayers<const float>&,
                                                      const AgentPoints<float>&);
template std::unique_ptr<AgentPass<double>> agent_pass(const NetworkSpec&,
                                                       const AgentLayers<const double>&,
                                                       const AgentPoints<double>&);

}  // namespace pyqmix
