#include "training/pack.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace pyqmix {
namespace {

void copy_row(const Column& column, std::int64_t from, std::int64_t to) {
    std::memcpy(static_cast<char*>(column.to) + to * column.bytes,
                static_cast<const char*>(column.from) + from * column.bytes,
                static_cast<std::size_t>(column.bytes));
}

}  // namespace

void pack_episodes(const std::vector<std::int64_t>& lengths, std::int64_t steps_padded,
                   const PackedRows& rows, const std::vector<Column>& points,
                   const std::vector<Column>& next, const std::vector<Column>& steps) {
    std::vector<std::int64_t> order(lengths.size());
    std::iota(order.begin(), order.end(), 0);
    const auto length = [&](std::int64_t episode) {
        return lengths[static_cast<std::size_t>(episode)];
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int64_t a, std::int64_t b) { return length(a) > length(b); });
    const auto episodes = static_cast<std::int64_t>(lengths.size());
    std::int64_t point = 0, step = 0, reach = episodes;  // episodes that have a point at this time
    for (std::int64_t time = 0; time <= steps_padded; ++time) {
        while (reach > 0 && length(order[static_cast<std::size_t>(reach - 1)]) < time) --reach;
        rows.point_counts[time] = reach;
        for (std::int64_t k = 0; k < reach; ++k, ++point) {
            const std::int64_t episode = order[static_cast<std::size_t>(k)];
            const std::int64_t padded_point = episode * (steps_padded + 1) + time;
            for (const Column& column : points) copy_row(column, padded_point, point);
            if (time > 0)
                for (const Column& column : next) copy_row(column, padded_point, point - episodes);
            if (time == length(episode)) continue;
            const std::int64_t padded_step = episode * steps_padded + time;
            for (const Column& column : steps) copy_row(column, padded_step, step);
            rows.now[step] = point;
            rows.episodes[step] = episode;
            rows.times[step++] = time;
        }
    }
}

}  // namespace pyqmix
