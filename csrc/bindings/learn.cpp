#include <utility>
#include <vector>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/tensors.h"
#include "learn/qmix_gradients.h"

namespace pyqmix {

void bind_learn(py::module_& module) {
    using namespace py::literals;
    module.def(
        "qmix_gradients_cpu",
        [](const NetworkSpec& spec, std::vector<std::int64_t> point_counts, const Tensor& obs,
           const Tensor& states, const Tensor& now, const Tensor& next_avail, const Tensor& actions,
           const Tensor& rewards, const Tensor& terminated, const Tensor& weights,
           const Tensor& online, const Tensor& target, double gamma, bool double_q,
           const Tensor& gradients, const Tensor& q_tot, const Tensor& targets, int threads) {
            return with_floating(obs, [&]<typename T>(T) {
                const QMixStep<T> step{
                    spec,
                    {{obs.shape()[0], obs.data<const T>(), std::move(point_counts)},
                     now.shape()[0],
                     states.rows<const T>(),
                     now.data<const std::int64_t>(),
                     next_avail.data<const std::uint8_t>(),
                     actions.data<const std::int64_t>(),
                     rewards.data<const T>(),
                     terminated.data<const std::uint8_t>(),
                     weights.data<const T>()},
                    online.data<const T>(),
                    target.data<const T>(),
                    static_cast<T>(gamma),
                    double_q,
                    gradients.data<T>(),
                    q_tot.data<T>(),
                    targets.data<T>()};
                ReleaseGil release;
                const QMixLoss out = qmix_gradients_cpu(step, threads);
                return std::pair(out.loss, out.unavailable);
            });
        },
        "spec"_a, py::kw_only(), "point_counts"_a, "obs"_a, "states"_a, "now"_a, "next_avail"_a,
        "actions"_a, "rewards"_a, "terminated"_a, "weights"_a, "online"_a, "target"_a, "gamma"_a,
        "double_q"_a, "gradients"_a, "q_tot"_a, "targets"_a, "threads"_a);
}

}  // namespace pyqmix
