#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/tensors.h"
#include "ops/episodes/pack.h"
#include "ops/episodes/pad.h"

namespace pyqmix {
namespace {

std::int64_t row_bytes(const Tensor& rows) {
    const auto sizes = rows.shape();
    return std::accumulate(sizes.begin() + 1, sizes.end(), rows.element_size(),
                           std::multiplies<>());
}

// Tensors to read, (B, K, ...), and to write, (rows, ...).
using Columns = std::vector<std::pair<Tensor, Tensor>>;

std::vector<Column> columns_of(const Columns& columns) {
    std::vector<Column> out;
    for (const auto& [from, to] : columns)
        out.push_back({from.data<const void>(), to.data<void>(), row_bytes(to)});
    return out;
}

// The tensor to read, (B, K, ...), or none; to write, (rows, ...); times, first and reach.
using PaddedTensors =
    std::tuple<std::optional<Tensor>, Tensor, std::int64_t, std::int64_t, std::int64_t>;

PaddedColumn padded_column(const PaddedTensors& of) {
    const auto& [from, to, times, first, reach] = of;
    const std::int64_t episode = from ? from->stride() * from->element_size() : 0;
    return {from ? from->data<const void>() : nullptr,
            to.data<void>(),
            episode,
            row_bytes(to),
            times,
            first,
            reach};
}

}  // namespace

void bind_episodes(py::module_& module) {
    using namespace py::literals;
    module.def(
        "pack_episodes",
        [](const std::vector<std::int64_t>& lengths, std::int64_t steps_padded,
           const std::array<Tensor, 4>& rows, const Columns& points, const Columns& next,
           const Columns& steps, int threads) {
            const auto at = [&](std::size_t k) { return rows[k].data<std::int64_t>(); };
            const PackedRows to{at(0), at(1), at(2), at(3)};
            const auto from_points = columns_of(points), from_next = columns_of(next),
                       from_steps = columns_of(steps);
            ReleaseGil release;
            pack_episodes(lengths, steps_padded, to, from_points, from_next, from_steps, threads);
        },
        "lengths"_a, "steps_padded"_a, "rows"_a, "points"_a, "next"_a, "steps"_a, "threads"_a);
    if_with_cuda([&](auto) {
        module.def(
            "pad_episodes_cuda",
            [](const Tensor& lengths, std::int64_t times, const std::vector<PaddedTensors>& columns,
               CudaStream stream) {
                if (columns.size() > kMostPadded)
                    throw std::invalid_argument("columns: expected at most " +
                                                std::to_string(kMostPadded) + ", got " +
                                                std::to_string(columns.size()));
                PaddedEpisodes args{lengths.shape()[0],
                                    times,
                                    lengths.data<const std::int64_t>(),
                                    static_cast<int>(columns.size()),
                                    {}};
                std::transform(columns.begin(), columns.end(), args.column, padded_column);
                ReleaseGil release;
                pad_episodes_cuda(args, handle_of(stream));
            },
            "lengths"_a, "times"_a, "columns"_a, "stream"_a);
    });
}

}  // namespace pyqmix
