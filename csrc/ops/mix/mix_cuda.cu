// The mixer on an NVIDIA GPU: one group of lanes for each sample.
#include "base/cuda/launch.cuh"
#include "ops/mix/mix_lanes.cuh"

namespace pyqmix {
namespace {

template <typename T, int kUnits>
__global__ void __launch_bounds__(kThreads) mix_forward_kernel(MixForward<T> args, int lanes) {
    const LaneGroup group(lanes);
    group.for_each_row(args.in.rows, [&](std::int64_t row) {
        const Compute<T> q_tot = mix_row_by<kUnits>(group, args.in, row, args.in.agent_qs[row]);
        if (group.leads()) args.q_tot[row] = narrow<T>(q_tot);
    });
}

template <typename T, int kUnits>
__global__ void __launch_bounds__(kThreads) mix_backward_kernel(MixBackward<T> args, int lanes) {
    const LaneGroup group(lanes);
    group.for_each_row(args.in.rows,
                       [&](std::int64_t row) { mix_row_backward_by<kUnits>(group, args, row); });
}

}  // namespace

template <typename T>
void mix_forward_cuda(const MixForward<T>& args, void* stream) {
    constexpr int kUnits = kPackBytes / sizeof(T);
    const bool packs = holds_packs(args.in);
    launch("mix_forward_cuda", packs ? mix_forward_kernel<T, kUnits> : mix_forward_kernel<T, 1>,
           args.in.rows, lanes_for(args.in.embed_dim, packs ? kUnits : 1), stream, args);
}

template <typename T>
void mix_backward_cuda(const MixBackward<T>& args, void* stream) {
    constexpr int kUnits = kPackBytes / sizeof(T);
    const bool packs = holds_packs(args.in) && holds_packs(args.grad_w1) &&
                       holds_packs(args.grad_b1) && holds_packs(args.grad_w_final);
    launch("mix_backward_cuda", packs ? mix_backward_kernel<T, kUnits> : mix_backward_kernel<T, 1>,
           args.in.rows, lanes_for(args.in.embed_dim, packs ? kUnits : 1), stream, args);
}

#define PYQMIX_MIX_CUDA_OF(T)                                    \
    template void mix_forward_cuda(const MixForward<T>&, void*); \
    template void mix_backward_cuda(const MixBackward<T>&, void*);
PYQMIX_MIX_CUDA_OF(float)
PYQMIX_MIX_CUDA_OF(double)
PYQMIX_MIX_CUDA_OF(BFloat16)

}  // namespace pyqmix
