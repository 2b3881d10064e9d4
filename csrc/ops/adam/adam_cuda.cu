#include <math.h>

#include "base/cuda/lane_group.cuh"
#include "base/cuda/launch.cuh"
#include "ops/adam/adam_cuda.h"

namespace pyqmix {
namespace {

constexpr int kElements = 4;  // of a lane, in each turn of its warp

__device__ inline float root(float x) { return ::sqrtf(x); }
__device__ inline double root(double x) { return ::sqrt(x); }

// Writes the parts of the sum of squares, and behind them 1 - beta^t of both running means.
template <typename T>
__global__ void __launch_bounds__(kThreads) adam_norm_kernel(AdamStepCuda<T> args, int lanes) {
    const LaneGroup group(lanes);
    group.for_each_row(kAdamParts, [&](std::int64_t part) {
        T sum[1] = {T(0)};
        for (std::int64_t i = part * lanes + group.lane(); i < args.size; i += kAdamParts * lanes)
            sum[0] += args.gradient[i] * args.gradient[i];
        group.sum(sum);
        if (!group.leads()) return;
        args.scratch[part] = sum[0];
        if (part > 1) return;
        const double beta = part == 0 ? args.beta1 : args.beta2;
        args.scratch[kAdamParts + part] = T(1.0 - ::pow(beta, double(*args.step)));
    });
}

template <typename T>
__global__ void __launch_bounds__(kThreads) adam_update_kernel(AdamStepCuda<T> args, int lanes) {
    const LaneGroup group(lanes);
    T sum[1] = {T(0)};
    for (std::int64_t part = group.lane(); part < kAdamParts; part += lanes)
        sum[0] += args.scratch[part];
    group.sum(sum);
    const T norm = root(sum[0]), ratio = T(args.max_norm) / (norm + T(1e-6));
    const T scale = ratio > T(1) ? T(1) : ratio;  // NaN stays
    const T rate = T(*args.lr) / args.scratch[kAdamParts];
    const T root_of_correction = root(args.scratch[kAdamParts + 1]);
    const T kept1 = T(1.0 - args.beta1), kept2 = T(1.0 - args.beta2);
    const std::int64_t elements = std::int64_t(lanes) * kElements;
    group.for_each_row((args.size + elements - 1) / elements, [&](std::int64_t turn) {
#pragma unroll
        for (int k = 0; k < kElements; ++k) {
            const std::int64_t i = turn * elements + k * lanes + group.lane();
            if (i >= args.size) continue;
            const T g = args.gradient[i] * scale;
            const T m = args.exp_avg[i] + kept1 * (g - args.exp_avg[i]);
            const T v = args.exp_avg_sq[i] + kept2 * (g * g - args.exp_avg_sq[i]);
            args.gradient[i] = g;
            args.exp_avg[i] = m;
            args.exp_avg_sq[i] = v;
            args.parameters[i] -= rate * m / (root(v) / root_of_correction + T(args.eps));
        }
        if (turn == 0 && group.leads()) *args.norm = norm;
    });
}

}  // namespace

template <typename T>
void adam_cuda(const AdamStepCuda<T>& step, void* stream) {
    const std::int64_t elements = std::int64_t(kWarp) * kElements;
    launch("adam_cuda", adam_norm_kernel<T>, kAdamParts, kWarp, stream, step);
    launch("adam_cuda", adam_update_kernel<T>, (step.size + elements - 1) / elements, kWarp, stream,
           step);
}

template void adam_cuda(const AdamStepCuda<float>&, void*);
template void adam_cuda(const AdamStepCuda<double>&, void*);

}  // namespace pyqmix
