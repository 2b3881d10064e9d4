#include "base/cuda/lane_group.cuh"
#include "base/cuda/launch.cuh"
#include "ops/episodes/pad.h"

namespace pyqmix {
namespace {

constexpr int kLanes = 16;  // share a row

__device__ inline bool in_words(const void* a, const void* b, std::int64_t bytes) {
    const auto address = [](const void* p) { return reinterpret_cast<std::uintptr_t>(p); };
    return (address(a) | address(b) | std::uintptr_t(bytes)) % sizeof(std::uint32_t) == 0;
}

template <typename Word>
__device__ void copy_row(const LaneGroup& group, const void* from, void* to, std::int64_t bytes) {
    const auto* const source = static_cast<const Word*>(from);
    for (std::int64_t i = group.lane(); i < bytes / std::int64_t(sizeof(Word)); i += group.lanes())
        static_cast<Word*>(to)[i] = source ? source[i] : Word(0);
}

__global__ void __launch_bounds__(kThreads) pad_episodes_kernel(PaddedEpisodes args, int lanes) {
    const LaneGroup group(lanes);
    const std::int64_t of_column = args.times * args.episodes;
    group.for_each_row(args.columns * of_column, [&](std::int64_t row) {
        const PaddedColumn& column = args.column[row / of_column];
        const std::int64_t at = row % of_column, time = at / args.episodes;
        if (time >= column.times) return;
        const std::int64_t episode = at % args.episodes;
        const bool kept = time < args.lengths[episode] + column.reach;
        char* const to = static_cast<char*>(column.to) + at * column.bytes;
        if (!column.from) {
            if (group.leads()) *to = kept ? 1 : 0;
            return;
        }
        const char* const from = static_cast<const char*>(column.from) +
                                 episode * column.episode_bytes +
                                 (time + column.first) * column.bytes;
        if (in_words(from, to, column.bytes))
            copy_row<std::uint32_t>(group, kept ? from : nullptr, to, column.bytes);
        else
            copy_row<std::uint8_t>(group, kept ? from : nullptr, to, column.bytes);
    });
}

}  // namespace

void pad_episodes_cuda(const PaddedEpisodes& args, void* stream) {
    launch("pad_episodes_cuda", pad_episodes_kernel, args.columns * args.times * args.episodes,
           kLanes, stream, args);
}

}  // namespace pyqmix
