#include "ops/mix/mix_cpu.h"

#include "ops/mix/mix_math.h"

namespace pyqmix::PYQMIX_SIMD_NAMESPACE {

template <typename T>
void mix_forward_rows(const MixForward<T>& args, std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
        args.q_tot[row] = mix_row(args.in, row, args.in.agent_qs[row]);
}

template <typename T>
void mix_backward_rows(const MixBackward<T>& args, std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) mix_row_backward(args, row);
}

template void mix_forward_rows(const MixForward<float>&, std::int64_t, std::int64_t);
template void mix_forward_rows(const MixForward<double>&, std::int64_t, std::int64_t);
template void mix_backward_rows(const MixBackward<float>&, std::int64_t, std::int64_t);
template void mix_backward_rows(const MixBackward<double>&, std::int64_t, std::int64_t);

}  // namespace pyqmix::PYQMIX_SIMD_NAMESPACE
