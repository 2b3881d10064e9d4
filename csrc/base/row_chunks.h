// How rows are cut into parts that threads share: the same parts whatever the number of threads, so
// that sums over rows are the same bits.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/parallel.h"

namespace pyqmix {

// Rows are cut into so many chunks of whole tiles, each of which adds its own gradients. Powers of
// two, which two or four threads share evenly.
inline std::int64_t chunks_of(std::int64_t rows, std::int64_t tile_rows) {
    if (rows < 4 * tile_rows) return 1;
    return rows < 8 * tile_rows ? 2 : 4;
}

// Calls body(job, group, begin, end) for each chunk of each group's rows; jobs of a group follow
// one another.
template <typename Body>
void for_chunks(std::int64_t groups, std::int64_t rows, std::int64_t tile_rows, int threads,
                const Body& body) {
    const std::int64_t chunks = chunks_of(rows, tile_rows);
    const std::int64_t tiles = (rows + tile_rows - 1) / tile_rows;
    parallel_for(groups * chunks, threads, 1, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t job = first; job < last; ++job) {
            const std::int64_t chunk = job % chunks;
            const std::int64_t begin = tiles * chunk / chunks * tile_rows;
            const std::int64_t end = std::min(tiles * (chunk + 1) / chunks * tile_rows, rows);
            if (begin < end) body(job, job / chunks, begin, end);
        }
    });
}

}  // namespace pyqmix
