// Functions marked PYQMIX_HD compile for the host and, under nvcc, for the device too, so that the
// arithmetic of one sample is written once. PYQMIX_DEVICE_CODE is 1 where CUDA's device functions
// can be called: in nvcc's device pass, and in the tests' emulation of it.
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
