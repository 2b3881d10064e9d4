// Removes the padding of a batch of episodes. Rows become time-major, episodes are ordered by
// falling length, and equal lengths keep their order. pyqmix/learn/rows.py defines each part.
#pragma once

#include <cstdint>
#include <vector>

namespace pyqmix {

// A column of a batch, (B, steps or points, width) of any type, and the destination of its rows.
struct Column {
    const void* from = nullptr;
    void* to = nullptr;
    std::int64_t bytes = 0;  // of a row
};

struct PackedRows {
    std::int64_t* point_counts = nullptr;  // (T+1,)
    std::int64_t* now = nullptr;           // (N,)
    std::int64_t* episodes = nullptr;      // (N,)
    std::int64_t* times = nullptr;         // (N,)
};

// lengths (B,), each from 1 to T, the steps to which the batch is padded. `points` have a row for
// each of an episode's L + 1 points in time, `steps` for each of its L steps, and `next` for the
// points from the second on.
void pack_episodes(const std::vector<std::int64_t>& lengths, std::int64_t steps_padded,
                   const PackedRows& rows, const std::vector<Column>& points,
                   const std::vector<Column>& next, const std::vector<Column>& steps, int threads);

}  // namespace pyqmix
