#include <algorithm>

#include "base/cuda/lane_group.cuh"
#include "base/cuda/launch.cuh"
#include "base/cuda/packs.cuh"
#include "ops/linear/bias_relu.h"

namespace pyqmix {
namespace {

constexpr std::int64_t kRowsOfLane = 3;    // few, because each costs a latency
constexpr std::int64_t kMostParts = 1024;  // which the second launch adds up

template <typename T, int kUnits>
__global__ void __launch_bounds__(kThreads) bias_relu_kernel(BiasRelu<T> args, int lanes) {
    const LaneGroup group(lanes);
    group.for_each_row(args.rows, [&](std::int64_t row) {
        T* const values = args.values[row];
        for (std::int64_t first = group.lane() * kUnits; first < args.width;
             first += group.lanes() * kUnits) {
            T x[kUnits];
            load<kUnits>(values + first, x);
#pragma unroll
            for (int j = 0; j < kUnits; ++j) {
                x[j] += args.bias[first + j];
                if (first + j < args.relu && x[j] < T(0)) x[j] = T(0);  // NaN stays
            }
            store<kUnits>(values + first, x);
        }
    });
}

// A warp for each part of the sum; `of_row` of its lanes share a row.
template <typename T, int kUnits>
__global__ void __launch_bounds__(kThreads)
    bias_relu_backward_kernel(BiasReluBackward<T> args, int lanes, int of_row) {
    const LaneGroup group(lanes);
    const std::int64_t at_once = lanes / of_row, lane = group.lane() % of_row;
    group.for_each_row(args.parts, [&](std::int64_t part) {
        for (std::int64_t block = 0; block < args.width; block += of_row * kUnits) {
            const std::int64_t first = block + lane * kUnits;
            T sum[kUnits] = {};
            if (first < args.width) {
                std::int64_t row = part * at_once + group.lane() / of_row;
                for (; row < args.rows; row += args.parts * at_once) {
                    T grad[kUnits];
                    load<kUnits>(args.grad[row] + first, grad);
                    if (args.outputs.data) {
                        T output[kUnits];
                        load<kUnits>(args.outputs[row] + first, output);
#pragma unroll
                        for (int j = 0; j < kUnits; ++j)
                            if (first + j < args.relu && output[j] <= T(0)) grad[j] = T(0);
                        store<kUnits>(args.masked[row] + first, grad);
                    }
#pragma unroll
                    for (int j = 0; j < kUnits; ++j) sum[j] += grad[j];
                }
            }
            for (int apart = of_row; apart < lanes; apart *= 2)
#pragma unroll
                for (int j = 0; j < kUnits; ++j) sum[j] += group.from(sum[j], apart);
            if (group.lane() < of_row && first < args.width)
#pragma unroll
                for (int j = 0; j < kUnits; ++j) args.sums[part * args.width + first + j] = sum[j];
        }
    });
}

// A warp for each column. A lane loads several parts at once to hide their latency.
template <typename T>
__global__ void __launch_bounds__(kThreads) add_parts_kernel(BiasReluBackward<T> args, int lanes) {
    constexpr int kAtOnce = 8;
    const LaneGroup group(lanes);
    group.for_each_row(args.width, [&](std::int64_t column) {
        T sum[1] = {T(0)};
        std::int64_t part = group.lane();
        for (; part + (kAtOnce - 1) * lanes < args.parts; part += kAtOnce * lanes) {
            T parts[kAtOnce];
#pragma unroll
            for (int k = 0; k < kAtOnce; ++k)
                parts[k] = args.sums[(part + k * lanes) * args.width + column];
#pragma unroll
            for (int k = 0; k < kAtOnce; ++k) sum[0] += parts[k];
        }
        for (; part < args.parts; part += lanes) sum[0] += args.sums[part * args.width + column];
        group.sum(sum);
        if (group.leads()) args.grad_bias[column] = sum[0];
    });
}

template <typename T>
bool holds_packs(const Rows<T>& x, std::int64_t width) {
    return holds_packs(x) && width * std::int64_t(sizeof(T)) % kPackBytes == 0;
}

}  // namespace

std::int64_t bias_relu_parts(std::int64_t rows, std::int64_t width) {
    const std::int64_t of_warp = kRowsOfLane * kWarp / lanes_for(width, 4);
    return std::clamp<std::int64_t>((rows + of_warp - 1) / of_warp, 1, kMostParts);
}

template <typename T>
void bias_relu_cuda(const BiasRelu<T>& args, void* stream) {
    constexpr int kUnits = kPackBytes / sizeof(T);
    const bool packs = holds_packs(args.values, args.width);
    launch("bias_relu_cuda", packs ? bias_relu_kernel<T, kUnits> : bias_relu_kernel<T, 1>,
           args.rows, lanes_for(args.width, packs ? kUnits : 1), stream, args);
}

template <typename T>
void bias_relu_backward_cuda(const BiasReluBackward<T>& args, void* stream) {
    constexpr int kUnits = kPackBytes / sizeof(T);
    const bool packs = holds_packs(args.grad, args.width) &&
                       (!args.outputs.data || (holds_packs(args.outputs, args.width) &&
                                               holds_packs(args.masked, args.width)));
    launch("bias_relu_backward_cuda",
           packs ? bias_relu_backward_kernel<T, kUnits> : bias_relu_backward_kernel<T, 1>,
           args.parts, kWarp, stream, args, lanes_for(args.width, packs ? kUnits : 1));
    launch("bias_relu_backward_cuda", add_parts_kernel<T>, args.width, kWarp, stream, args);
}

#define PYQMIX_BIAS_RELU_CUDA_OF(T)                          \
    template void bias_relu_cuda(const BiasRelu<T>&, void*); \
    template void bias_relu_backward_cuda(const BiasReluBackward<T>&, void*);
PYQMIX_BIAS_RELU_CUDA_OF(float)
PYQMIX_BIAS_RELU_CUDA_OF(double)

}  // namespace pyqmix
