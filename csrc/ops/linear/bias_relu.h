// A linear layer's work outside its matrix products, on an NVIDIA GPU: bias and ReLU after the
// forward's product, and the ReLU's mask and the bias's gradient before the backward's products.
// Sums have a fixed order, so that two runs give the same bits. T is float or double.
#pragma once

#include <cstdint>

#include "base/rows.h"

namespace pyqmix {

template <typename T>
struct BiasRelu {
    std::int64_t rows = 0, width = 0;
    Rows<T> values;           // (rows, width), changed in place
    const T* bias = nullptr;  // (width,)
    std::int64_t relu = 0;    // how many of the first columns pass a ReLU
};

template <typename T>
struct BiasReluBackward {
    std::int64_t rows = 0, width = 0;
    Rows<const T> grad;     // (rows, width), of the outputs
    Rows<const T> outputs;  // (rows, width), or null where no column passed a ReLU
    Rows<T> masked;         // (rows, width), grad behind the mask; unused without outputs
    std::int64_t relu = 0;  // how many of the first columns passed it
    std::int64_t parts = 0;
    T* sums = nullptr;       // (parts, width)
    T* grad_bias = nullptr;  // (width,)
};

// The number of parts of the backward's sum.
std::int64_t bias_relu_parts(std::int64_t rows, std::int64_t width);

// Both start on a cudaStream_t of the current device and return without synchronising.
template <typename T>
void bias_relu_cuda(const BiasRelu<T>& args, void* stream);
template <typename T>
void bias_relu_backward_cuda(const BiasReluBackward<T>& args, void* stream);

}  // namespace pyqmix
