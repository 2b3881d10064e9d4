// Cuts rows into chunks that threads share. The chunks do not depend on the number of threads, so
// sums over rows are bit-identical for every number.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/parallel.h"

namespace pyqmix {

// The number of chunks, which consist of whole tiles; each adds its own gradients. A power of two,
// so that two or four threads share the chunks evenly.
inline std::int64_t chunks_of(std::int64_t rows, std::int64_t tile_rows) {
    if (rows < 4 * tile_rows) return 1;
    return rows < 8 * tile_rows ? 2 : 4;
}

// Calls body(job, group, begin, end) for each chunk of each group's rows; the jobs of a group have
// consecutive numbers.
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
