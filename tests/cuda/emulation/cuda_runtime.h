// Stands in for CUDA's header of this name, so that the kernels' own sources compile for the CPU
// and run there, one fiber for each CUDA thread. What it emulates: threads of a block and their
// indices, shuffles and __syncwarp among the lanes that a mask names, atomicMin, page-locked
// memory, launches and their errors. What it cannot show: timing, the GPU's own expm1f and expf,
// its caches and memory order, and what nvcc makes of the source.
//
// Stricter than a GPU where that finds faults: the order in which lanes run is chosen at random, a
// lane that misses a meeting of its mask ends the program, and so does a mask that lacks its
// caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(threads)

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
    dim3() = default;
    explicit dim3(unsigned width) : x(width) {}
};

struct alignas(16) uint4 {
    unsigned x, y, z, w;
};

extern dim3 threadIdx, blockIdx, blockDim, gridDim;  // of the thread that runs now

namespace emulation {

extern unsigned largest_grid;    // launches run with at most so many blocks
extern unsigned long long seed;  // of the order in which lanes run
extern int pending_error, failing_launches;

void run_grid(const std::function<void()>& kernel);

// Waits until every lane of the mask has come here with as many bytes, and returns those of
// `source`.
void exchange(unsigned mask, unsigned source, const void* mine, void* theirs, std::size_t bytes);

}  // namespace emulation

inline void __stcg(uint4* to, uint4 value) { *to = value; }

inline void __syncwarp(unsigned mask) {
    emulation::exchange(mask, threadIdx.x % 32, "", nullptr, 0);
}

template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int apart) {
    T theirs;
    emulation::exchange(mask, (threadIdx.x % 32) ^ unsigned(apart), &value, &theirs, sizeof value);
    return theirs;
}

inline unsigned long long atomicMin(unsigned long long* at, unsigned long long value) {
    const unsigned long long before = *at;
    if (value < before) *at = value;
    return before;
}

using cudaStream_t = void*;
enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidConfiguration = 9 };
constexpr unsigned cudaHostAllocMapped = 2;

struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    std::size_t dynamicSmemBytes = 0;
    cudaStream_t stream = nullptr;
};

const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaHostAlloc(void** memory, std::size_t bytes, unsigned flags);
cudaError_t cudaHostGetDevicePointer(void** device, void* host, unsigned flags);
cudaError_t cudaFreeHost(void* memory);

template <typename... Parameters, typename... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               const Arguments&... arguments) {
    if (emulation::failing_launches > 0) {
        --emulation::failing_launches;
        emulation::pending_error = cudaErrorInvalidConfiguration;
        return cudaErrorInvalidConfiguration;
    }
    gridDim = config->gridDim;
    if (gridDim.x > emulation::largest_grid) gridDim.x = emulation::largest_grid;
    blockDim = config->blockDim;
    emulation::run_grid([&] { kernel(arguments...); });
    return cudaSuccess;
}
