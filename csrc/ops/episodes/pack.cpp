#include "ops/episodes/pack.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <type_traits>

#include "base/parallel.h"

namespace pyqmix {
namespace {

// The rows of points and steps at each time, and the order of the episodes.
struct Layout {
    std::vector<std::int64_t> order;          // episodes by falling length
    std::vector<std::int64_t> points, steps;  // the number of episodes with one at each time
    std::vector<std::int64_t> point, step;    // the row of the first of them
    std::int64_t padded = 0;                  // T

    Layout(const std::vector<std::int64_t>& lengths, std::int64_t steps_padded)
        : order(lengths.size()), padded(steps_padded) {
        std::iota(order.begin(), order.end(), 0);
        const auto length = [&](std::int64_t episode) {
            return lengths[static_cast<std::size_t>(episode)];
        };
        std::stable_sort(order.begin(), order.end(),
                         [&](std::int64_t a, std::int64_t b) { return length(a) > length(b); });
        std::int64_t row = 0, step_row = 0, reach = static_cast<std::int64_t>(order.size());
        for (std::int64_t time = 0; time <= padded; ++time) {
            const auto ends_before = [&](std::int64_t end) {
                return reach > 0 && length(order[static_cast<std::size_t>(reach - 1)]) < end;
            };
            while (ends_before(time)) --reach;
            points.push_back(reach);
            while (ends_before(time + 1)) --reach;
            steps.push_back(reach);
            point.push_back(row);
            step.push_back(step_row);
            row += points.back();
            step_row += steps.back();
        }
    }

    std::int64_t episodes() const { return static_cast<std::int64_t>(order.size()); }
};

// Copies the rows of one time, for each of the first `count` episodes, from a column with `padded`
// rows for each episode. Short rows have a constant number of bytes, so that the copy needs no
// call.
template <typename Bytes>
void copy_rows(const Column& column, const Layout& layout, std::int64_t padded, std::int64_t time,
               std::int64_t count, std::int64_t to_row, Bytes bytes) {
    char* to = static_cast<char*>(column.to) + to_row * bytes;
    for (std::int64_t k = 0; k < count; ++k, to += bytes) {
        const std::int64_t row = layout.order[static_cast<std::size_t>(k)] * padded + time;
        std::memcpy(to, static_cast<const char*>(column.from) + row * bytes,
                    static_cast<std::size_t>(bytes));
    }
}

template <std::int64_t kBytes>
using Constant = std::integral_constant<std::int64_t, kBytes>;

void copy_rows(const Column& column, const Layout& layout, std::int64_t padded, std::int64_t time,
               std::int64_t count, std::int64_t to_row) {
    const auto copy = [&](auto bytes) {
        copy_rows(column, layout, padded, time, count, to_row, bytes);
    };
    switch (column.bytes) {
        case 1:
            return copy(Constant<1>());
        case 4:
            return copy(Constant<4>());
        case 8:
            return copy(Constant<8>());
        case 16:
            return copy(Constant<16>());
        default:
            return copy(column.bytes);
    }
}

}  // namespace

void pack_episodes(const std::vector<std::int64_t>& lengths, std::int64_t steps_padded,
                   const PackedRows& rows, const std::vector<Column>& points,
                   const std::vector<Column>& next, const std::vector<Column>& steps, int threads) {
    constexpr std::int64_t kBytes = 1 << 18;  // take as long to copy as a thread to wake
    const Layout layout(lengths, steps_padded);
    const auto at = [](const std::vector<std::int64_t>& values, std::int64_t time) {
        return values[static_cast<std::size_t>(time)];
    };
    std::copy(layout.points.begin(), layout.points.end(), rows.point_counts);
    std::int64_t of_time = 1;
    for (const auto* const columns : {&points, &next, &steps})
        for (const Column& column : *columns) of_time += column.bytes * layout.episodes();
    const std::int64_t grain = std::max<std::int64_t>(1, kBytes / of_time);
    parallel_for(steps_padded + 1, threads, grain, [&](std::int64_t begin, std::int64_t end) {
        for (const Column& column : points)
            for (std::int64_t t = begin; t < end; ++t)
                copy_rows(column, layout, steps_padded + 1, t, at(layout.points, t),
                          at(layout.point, t));
        for (const Column& column : next)
            for (std::int64_t t = std::max<std::int64_t>(begin, 1); t < end; ++t)
                copy_rows(column, layout, steps_padded + 1, t, at(layout.points, t),
                          at(layout.point, t) - layout.episodes());
        for (const Column& column : steps)
            for (std::int64_t t = begin; t < end; ++t)
                copy_rows(column, layout, steps_padded, t, at(layout.steps, t), at(layout.step, t));
        for (std::int64_t t = begin; t < end; ++t)
            for (std::int64_t k = 0; k < at(layout.steps, t); ++k) {
                const std::int64_t step = at(layout.step, t) + k;
                rows.now[step] = at(layout.point, t) + k;
                rows.episodes[step] = layout.order[static_cast<std::size_t>(k)];
                rows.times[step] = t;
            }
    });
}

}  // namespace pyqmix
