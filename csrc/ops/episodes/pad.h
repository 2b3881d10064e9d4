// Makes a padded batch of episodes time-major on an NVIDIA GPU, and keeps its padding: each episode
// has a row at every time, with zeros after its end. One launch for all columns.
#pragma once

#include <cstdint>

namespace pyqmix {

inline constexpr int kMostPadded = 8;

// A column, copied from (B, K, bytes) to (times, B, bytes).
struct PaddedColumn {
    const void* from = nullptr;  // null: writes a byte, 1 where a row is kept
    void* to = nullptr;
    std::int64_t episode_bytes = 0;  // from one episode to the next
    std::int64_t bytes = 0;          // of a row
    std::int64_t times = 0;          // the number written
    std::int64_t first = 0;          // the time of `from` that is written as time 0
    std::int64_t reach = 0;          // time t is kept where t < length + reach
};

struct PaddedEpisodes {
    std::int64_t episodes = 0, times = 0;   // B, the most of any column's times
    const std::int64_t* lengths = nullptr;  // (B,)
    int columns = 0;
    PaddedColumn column[kMostPadded];
};

// Starts on a cudaStream_t of the current device; returns without synchronising.
void pad_episodes_cuda(const PaddedEpisodes& args, void* stream);

}  // namespace pyqmix
