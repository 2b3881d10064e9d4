#include <limits>
#include <mutex>

#include "base/parallel.h"
#include "base/simd_dispatch.h"
#include "ops/td_target/td_target_cpu.h"

namespace pyqmix {
namespace {
constexpr std::int64_t kGrain = 256;  // rows that are worth waking a thread for
}

template <typename T>
std::int64_t td_target_cpu(const TdTarget<T>& args, int threads) {
    std::mutex mutex;
    std::int64_t first = std::numeric_limits<std::int64_t>::max();
    parallel_for(args.mixer.rows, threads, kGrain, [&](std::int64_t begin, std::int64_t end) {
        const std::int64_t found = PYQMIX_AT_SIMD_LEVEL(td_target_rows, args, begin, end);
        if (found == kAllAvailable) return;
        std::lock_guard lock(mutex);
        first = std::min(first, found);
    });
    return first == std::numeric_limits<std::int64_t>::max() ? kAllAvailable : first;
}

template std::int64_t td_target_cpu(const TdTarget<float>&, int);
template std::int64_t td_target_cpu(const TdTarget<double>&, int);

}  // namespace pyqmix
