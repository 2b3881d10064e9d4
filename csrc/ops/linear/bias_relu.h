// What a linear layer does beside its matrix products, on an NVIDIA GPU: bias and ReLU behind the
// product, and before the backward's products the ReLU's mask and the bias's gradient. Sums have
// one order, so that two runs give the same bits. T is float or double.
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
    Rows<const T> outputs;  // (rows, width), or none where no column passed a ReLU
    Rows<T> masked;         // (rows, width), where there are outputs: the products' gradient
    std::int64_t relu = 0;  // how many of the first columns passed it
    std::int64_t parts = 0;
    T* sums = nullptr;       // (parts, width)
    T* grad_bias = nullptr;  // (width,)
};

// How many parts the backward's sum has.
std::int64_t bias_relu_parts(std::int64_t rows, std::int64_t width);

// Both start on a cudaStream_t of the current device, and do not wait.
template <typename T>
void bias_relu_cuda(const BiasRelu<T>& args, void* stream);
template <typename T>
void bias_relu_backward_cuda(const BiasReluBackward<T>& args, void* stream);

}  // namespace pyqmix
