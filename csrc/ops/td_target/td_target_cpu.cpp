#include "ops/td_target/td_target_cpu.h"

#include "ops/td_target/td_target_math.h"

namespace pyqmix::PYQMIX_SIMD_NAMESPACE {

template <typename T>
std::int64_t td_target_rows(const TdTarget<T>& args, std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t agent = td_target_row(args, row);
        if (agent != kAllAvailable) return row * args.mixer.n_agents + agent;
    }
    return kAllAvailable;
}

template std::int64_t td_target_rows(const TdTarget<float>&, std::int64_t, std::int64_t);
template std::int64_t td_target_rows(const TdTarget<double>&, std::int64_t, std::int64_t);

}  // namespace pyqmix::PYQMIX_SIMD_NAMESPACE
