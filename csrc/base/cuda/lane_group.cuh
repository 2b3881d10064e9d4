// A power-of-two part of a warp, whose lanes work on one sample together. All its lanes must call
// sum, from and sync together; other parts of the warp may diverge.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace pyqmix {
namespace {

class LaneGroup {
   public:
    __device__ explicit LaneGroup(int lanes)
        : lanes_(lanes),
          lane_(static_cast<int>(threadIdx.x) & (lanes - 1)),
          mask_((0xffffffffu >> (32 - lanes)) << ((threadIdx.x & 31u) & ~unsigned(lanes - 1))) {}

    __device__ int lanes() const { return lanes_; }
    __device__ int lane() const { return lane_; }
    __device__ bool leads() const { return lane_ == 0; }

    // Makes the earlier writes of every lane visible to all lanes.
    __device__ void sync() const { __syncwarp(mask_); }

    // Replaces every lane's x by the sum over the lanes, the same bits in all of them.
    template <int kCount, typename T>
    __device__ void sum(T (&x)[kCount]) const {
        for (int apart = lanes_ / 2; apart > 0; apart /= 2)
#pragma unroll
            for (int k = 0; k < kCount; ++k) x[k] += from(x[k], apart);
    }

    // The x of the lane whose number differs in the bit `apart`.
    template <typename T>
    __device__ T from(T x, int apart) const {
        return __shfl_xor_sync(mask_, x, apart);
    }

    // Calls visit(row) for this group's share of the rows; all groups of the grid share them.
    template <typename Visit>
    __device__ void for_each_row(std::int64_t rows, const Visit& visit) const {
        const std::int64_t groups = blockDim.x / lanes_;
        std::int64_t row = blockIdx.x * groups + threadIdx.x / lanes_;
        for (; row < rows; row += gridDim.x * groups) visit(row);
    }

   private:
    int lanes_, lane_;
    unsigned mask_;
};

}  // namespace
}  // namespace pyqmix
