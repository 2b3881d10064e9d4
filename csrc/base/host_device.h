// Functions marked PYQMIX_HD compile for the host and, under nvcc, for the device too, so that the
// arithmetic of one sample stands once. PYQMIX_DEVICE_CODE is 1 where the device's own functions
// are at hand: in nvcc's pass for the device, and in the tests' emulation of one.
#pragma once

#if defined(__CUDACC__)
#define PYQMIX_HD __host__ __device__
#else
#define PYQMIX_HD
#endif

#if defined(__CUDA_ARCH__) || defined(PYQMIX_CUDA_EMULATION)
#define PYQMIX_DEVICE_CODE 1
#else
#define PYQMIX_DEVICE_CODE 0
#endif
