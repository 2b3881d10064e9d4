// Starts kernels that give each sample a group of lanes, and throws on every CUDA error.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace pyqmix {
namespace {

constexpr int kThreads = 128;  // of a block
constexpr int kWarp = 32;

inline void check(cudaError_t error, const char* what) {
    if (error == cudaSuccess) return;
    static_cast<void>(cudaGetLastError());  // cleared: it is reported here, and only once
    throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
}

// The fewest lanes, a power of two, that hold `width` values, `units` each; at most a warp.
inline int lanes_for(std::int64_t width, int units) {
    int lanes = 1;
    while (lanes < kWarp && std::int64_t(lanes) * units < width) lanes *= 2;
    return lanes;
}

// Starts kernel(args, lanes, more...) on the given cudaStream_t of the current device; returns
// without synchronising.
template <typename Args, typename... More>
void launch(const char* what, void (*kernel)(Args, int, More...), std::int64_t rows, int lanes,
            void* stream, const Args& args, const More&... more) {
    if (rows == 0) return;
    const std::int64_t rows_of_block = kThreads / lanes;
    cudaLaunchConfig_t config = {};
    // More blocks than any GPU runs at once; the kernels' loop over rows does the rest.
    config.gridDim = dim3(static_cast<unsigned>(
        std::min<std::int64_t>((rows + rows_of_block - 1) / rows_of_block, 1 << 20)));
    config.blockDim = dim3(kThreads);
    config.stream = static_cast<cudaStream_t>(stream);
    check(cudaLaunchKernelEx(&config, kernel, args, lanes, more...), what);
}

}  // namespace
}  // namespace pyqmix
