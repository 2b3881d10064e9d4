#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings/bindings.h"
#include "bindings/tensor_args.h"
#include "learn/qmix_gradients.h"
#include "ops/episodes/pack.h"
#include "ops/episodes/pad.h"

namespace py = pybind11;

namespace pyqmix {
namespace {

using Address = std::uintptr_t;
using Columns = std::vector<std::tuple<Address, Address, std::int64_t>>;

template <typename T>
T* at(Address address) {
    return reinterpret_cast<T*>(address);
}

std::vector<Column> columns_of(const Columns& columns) {
    std::vector<Column> out;
    for (const auto& [from, to, bytes] : columns)
        out.push_back({at<const void>(from), at<void>(to), bytes});
    return out;
}

#if defined(PYQMIX_WITH_CUDA)
// From, to; bytes from one episode to the next, and of a row; times, first, reach.
using PaddedColumnArgs = std::tuple<Address, Address, std::int64_t, std::int64_t, std::int64_t,
                                    std::int64_t, std::int64_t>;

PaddedColumn padded_column(const PaddedColumnArgs& of) {
    const auto [from, to, episode_bytes, bytes, times, first, reach] = of;
    return {at<const void>(from), at<void>(to), episode_bytes, bytes, times, first, reach};
}
#endif

// A step's tensors by address; checked by pyqmix/ops.
struct QMixStepTensors {
    const NetworkSpec& spec;
    std::int64_t points, steps;
    std::vector<std::int64_t> point_counts;
    Address obs;
    TensorRows states;
    Address now, next_avail, actions, rewards, terminated, weights, online, target;
    double gamma;
    bool double_q;
    Address gradients, q_tot, targets;

    template <typename T>
    QMixStep<T> as() const {
        return {spec,
                {{points, at<const T>(obs), point_counts},
                 steps,
                 rows_of<const T>(states),
                 at<const std::int64_t>(now),
                 at<const std::uint8_t>(next_avail),
                 at<const std::int64_t>(actions),
                 at<const T>(rewards),
                 at<const std::uint8_t>(terminated),
                 at<const T>(weights)},
                at<const T>(online),
                at<const T>(target),
                static_cast<T>(gamma),
                double_q,
                at<T>(gradients),
                at<T>(q_tot),
                at<T>(targets)};
    }
};

}  // namespace

void bind_training(py::module_& module) {
    module.def(
        "pack_episodes",
        [](const std::vector<std::int64_t>& lengths, std::int64_t steps_padded,
           const std::array<Address, 4>& rows, const Columns& points, const Columns& next,
           const Columns& steps, int threads) {
            const PackedRows to{at<std::int64_t>(rows[0]), at<std::int64_t>(rows[1]),
                                at<std::int64_t>(rows[2]), at<std::int64_t>(rows[3])};
            const auto from_points = columns_of(points), from_next = columns_of(next),
                       from_steps = columns_of(steps);
            py::gil_scoped_release release;
            pack_episodes(lengths, steps_padded, to, from_points, from_next, from_steps, threads);
        },
        py::arg("lengths"), py::arg("steps_padded"), py::arg("rows"), py::arg("points"),
        py::arg("next"), py::arg("steps"), py::arg("threads"));
#if defined(PYQMIX_WITH_CUDA)
    module.def(
        "pad_episodes_cuda",
        [](std::int64_t episodes, std::int64_t times, Address lengths,
           const std::vector<PaddedColumnArgs>& columns, std::uintptr_t stream) {
            if (columns.size() > kMostPadded)
                throw std::invalid_argument("columns: expected at most " +
                                            std::to_string(kMostPadded) + ", got " +
                                            std::to_string(columns.size()));
            PaddedEpisodes args{episodes,
                                times,
                                at<const std::int64_t>(lengths),
                                static_cast<int>(columns.size()),
                                {}};
            std::transform(columns.begin(), columns.end(), args.column, padded_column);
            py::gil_scoped_release release;
            pad_episodes_cuda(args, at<void>(stream));
        },
        py::kw_only(), py::arg("episodes"), py::arg("times"), py::arg("lengths"),
        py::arg("columns"), py::arg("stream"));
#endif
    module.def(
        "qmix_gradients_cpu",
        [](const NetworkSpec& spec, std::int64_t points, std::int64_t steps,
           std::vector<std::int64_t> point_counts, Address obs, TensorRows states, Address now,
           Address next_avail, Address actions, Address rewards, Address terminated,
           Address weights, Address online, Address target, double gamma, bool double_q,
           Address gradients, Address q_tot, Address targets, bool is_double, int threads) {
            const QMixStepTensors in{spec,      points,  steps,      std::move(point_counts),
                                     obs,       states,  now,        next_avail,
                                     actions,   rewards, terminated, weights,
                                     online,    target,  gamma,      double_q,
                                     gradients, q_tot,   targets};
            py::gil_scoped_release release;
            const QMixLoss out = is_double ? qmix_gradients_cpu(in.as<double>(), threads)
                                           : qmix_gradients_cpu(in.as<float>(), threads);
            return std::pair(out.loss, out.unavailable);
        },
        py::arg("spec"), py::kw_only(), py::arg("points"), py::arg("steps"),
        py::arg("point_counts"), py::arg("obs"), py::arg("states"), py::arg("now"),
        py::arg("next_avail"), py::arg("actions"), py::arg("rewards"), py::arg("terminated"),
        py::arg("weights"), py::arg("online"), py::arg("target"), py::arg("gamma"),
        py::arg("double_q"), py::arg("gradients"), py::arg("q_tot"), py::arg("targets"),
        py::arg("is_double"), py::arg("threads"));
}

}  // namespace pyqmix
