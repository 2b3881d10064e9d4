// The mixer on an NVIDIA GPU, one thread for each sample: correct first. The fused, coalesced
// kernels take its place once they can be measured.
#include <cuda_runtime.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "mixer/mixer_math.h"

namespace pyqmix {
namespace {

constexpr int kThreads = 128;

template <typename T>
__global__ void mix_forward_kernel(MixForward<T> args) {
    const std::int64_t step = std::int64_t(gridDim.x) * blockDim.x;
    for (std::int64_t row = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; row < args.in.rows;
         row += step)
        args.q_tot[row] = mix_row(args.in, row, args.in.agent_qs[row]);
}

template <typename T>
__global__ void mix_backward_kernel(MixBackward<T> args) {
    const std::int64_t step = std::int64_t(gridDim.x) * blockDim.x;
    for (std::int64_t row = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x; row < args.in.rows;
         row += step)
        mix_row_backward(args, row);
}

unsigned blocks_for(std::int64_t rows) {
    return static_cast<unsigned>(std::min<std::int64_t>((rows + kThreads - 1) / kThreads, 65535));
}

void check_launch(const char* what) {
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess)
        throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
}

}  // namespace

template <typename T>
void mix_forward_cuda(const MixForward<T>& args, void* stream) {
    if (args.in.rows == 0) return;
    mix_forward_kernel<<<blocks_for(args.in.rows), kThreads, 0, cudaStream_t(stream)>>>(args);
    check_launch("mix_forward_cuda");
}

template <typename T>
void mix_backward_cuda(const MixBackward<T>& args, void* stream) {
    if (args.in.rows == 0) return;
    mix_backward_kernel<<<blocks_for(args.in.rows), kThreads, 0, cudaStream_t(stream)>>>(args);
    check_launch("mix_backward_cuda");
}

template void mix_forward_cuda(const MixForward<float>&, void*);
template void mix_forward_cuda(const MixForward<double>&, void*);
template void mix_backward_cuda(const MixBackward<float>&, void*);
template void mix_backward_cuda(const MixBackward<double>&, void*);

}  // namespace pyqmix
