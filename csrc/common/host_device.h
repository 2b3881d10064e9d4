// Functions marked PYQMIX_HD compile for the host and, under nvcc, for the device too, so that the
// arithmetic of one sample stands once.
#pragma once

#if defined(__CUDACC__)
#define PYQMIX_HD __host__ __device__
#else
#define PYQMIX_HD
#endif
