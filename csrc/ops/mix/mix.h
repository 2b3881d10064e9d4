// The monotonic mixing of QMIX (arXiv:1803.11485, section 4.1; arXiv:2003.08839, equation 8):
//
//     q_tot = ELU(q · |w1| + b1) · |w_final| + v
//
// for one sample per row. w1, b1, w_final and v are the hypernetworks' outputs for that row's
// state, w1 and w_final before the absolute value. T is float or double, on a GPU BFloat16 too.
#pragma once

#include <cstdint>

#include "base/rows.h"

namespace pyqmix {

template <typename T>
struct MixInputs {
    std::int64_t rows = 0;       // R, samples
    std::int64_t n_agents = 0;   // n >= 1
    std::int64_t embed_dim = 0;  // E >= 1
    Rows<const T> agent_qs;      // (R, n)
    Rows<const T> w1;            // (R, n * E), agent-major: w1[i * E + e]
    Rows<const T> b1;            // (R, E)
    Rows<const T> w_final;       // (R, E)
    Rows<const T> v;             // (R, 1)
};

template <typename T>
struct MixForward {
    MixInputs<T> in;
    T* q_tot = nullptr;  // (R,) contiguous, written
};

template <typename T>
struct MixBackward {
    MixInputs<T> in;
    Rows<const T> grad_q_tot;  // (R, 1)
    Rows<T> grad_agent_qs;     // of their inputs' shapes, written in full
    Rows<T> grad_w1;
    Rows<T> grad_b1;
    Rows<T> grad_w_final;
    Rows<T> grad_v;
};

// On the CPU, with at most `threads` threads. The result does not depend on their number.
template <typename T>
void mix_forward_cpu(const MixForward<T>& args, int threads);
template <typename T>
void mix_backward_cpu(const MixBackward<T>& args, int threads);

// On the current CUDA device and the given cudaStream_t; device pointers. Returns without
// synchronising; throws std::runtime_error if the launch fails. Two runs give the same bits.
template <typename T>
void mix_forward_cuda(const MixForward<T>& args, void* stream);
template <typename T>
void mix_backward_cuda(const MixBackward<T>& args, void* stream);

}  // namespace pyqmix
