#include "base/parallel.h"
#include "base/simd_dispatch.h"
#include "ops/mix/mix_cpu.h"

namespace pyqmix {
namespace {
constexpr std::int64_t kGrain = 128;  // rows that are worth waking a thread for
}

template <typename T>
void mix_forward_cpu(const MixForward<T>& args, int threads) {
    parallel_for(args.in.rows, threads, kGrain, [&](std::int64_t begin, std::int64_t end) {
        PYQMIX_AT_SIMD_LEVEL(mix_forward_rows, args, begin, end);
    });
}

template <typename T>
void mix_backward_cpu(const MixBackward<T>& args, int threads) {
    parallel_for(args.in.rows, threads, kGrain, [&](std::int64_t begin, std::int64_t end) {
        PYQMIX_AT_SIMD_LEVEL(mix_backward_rows, args, begin, end);
    });
}

template void mix_forward_cpu(const MixForward<float>&, int);
template void mix_forward_cpu(const MixForward<double>&, int);
template void mix_backward_cpu(const MixBackward<float>&, int);
template void mix_backward_cpu(const MixBackward<double>&, int);

}  // namespace pyqmix
