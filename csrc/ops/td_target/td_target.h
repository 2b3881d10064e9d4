// The one-step QMIX target (arXiv:1803.11485, equation 6):
//
//     y = r + gamma * (1 - terminated) * max over joint actions of q_tot(s', ...)
//
// The mixer is monotone in every agent's value, so each agent's own maximum over its available
// actions gives the joint maximum. With double-Q the online values choose the action and the target
// values rate it. Rows that terminated take y = r; their other values are not read.
#pragma once

#include <cstdint>

#include "base/bfloat16.h"
#include "ops/mix/mix.h"

namespace pyqmix {

template <typename T>
struct TdTarget {
    MixInputs<T> mixer;                   // the target mixer at s'; agent_qs stays unset
    std::int64_t n_actions = 0;           // A >= 1
    Rows<const T> next_qs;                // (R, n * A), by the target network at o'
    Rows<const T> online_next_qs;         // (R, n * A) by the online network, or null: no double-Q
    Rows<const std::uint8_t> avail;       // (R, n * A), 1 where the action is available at o'
    Rows<const T> rewards;                // (R, 1)
    Rows<const std::uint8_t> terminated;  // (R, 1)
    Compute<T> gamma = Compute<T>(0);
    T* chosen_qs = nullptr;  // (R, n) contiguous, scratch
    T* y = nullptr;          // (R,) contiguous, written
};

// Returned where every agent of every unterminated row has an available action.
constexpr std::int64_t kAllAvailable = -1;

// On the CPU, with at most `threads` threads. Returns kAllAvailable, or else the smallest row * n +
// agent of an agent that has no available action in a row that is not terminated; y then holds
// nothing useful.
template <typename T>
std::int64_t td_target_cpu(const TdTarget<T>& args, int threads);

// A cell in which kernels note the smallest row * n + agent of an agent that has no available
// action. It lies in page-locked memory of the host that the device can write to, so that the host
// reads it without synchronising. It belongs to the CUDA device that was current when it was made.
class MissingAction {
   public:
    MissingAction();  // throws std::runtime_error if CUDA gives no memory
    ~MissingAction();
    MissingAction(const MissingAction&) = delete;
    MissingAction& operator=(const MissingAction&) = delete;

    // Returns and clears the note of kernels that have ended, or kAllAvailable.
    std::int64_t take();

    unsigned long long* on_device() const { return on_device_; }

   private:
    unsigned long long* on_host_ = nullptr;
    unsigned long long* on_device_ = nullptr;
};

// On the current CUDA device and the given cudaStream_t; device pointers. Returns without
// synchronising; throws std::runtime_error if the launch fails. y of a row that lacks an action is
// NaN.
template <typename T>
void td_target_cuda(const TdTarget<T>& args, MissingAction& missing, void* stream);

}  // namespace pyqmix
