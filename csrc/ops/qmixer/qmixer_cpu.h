// Row ranges of the mixing network at one SIMD level; built like ops/mix/mix_cpu.h.
#pragma once

#include "ops/qmixer/plan.h"
#include "ops/qmixer/qmixer.h"
#include "ops/td_target/td_target.h"

#define PYQMIX_DECLARE_QMIXER_LEVEL(level)                                                       \
    namespace pyqmix::level {                                                                    \
    /* Rows [begin, end); saved may be null. */                                                  \
    template <typename T>                                                                        \
    void qmixer_forward_rows(const QMixerPlan<T>&, const QMixerWeights<T>&,                      \
                             const QMixerInputs<T>&, T* q_tot, T* saved, std::int64_t begin,     \
                             std::int64_t end);                                                  \
    /* Adds to `sums` unless it is null. */                                                      \
    template <typename T>                                                                        \
    void qmixer_backward_rows(const QMixerPlan<T>&, const QMixerWeights<T>&,                     \
                              const QMixerInputs<T>&, const T* saved, Rows<const T> grad_q_tot,  \
                              T* grad_agent_qs, QMixerSums<T>* sums, std::int64_t begin,         \
                              std::int64_t end);                                                 \
    /* Forward and backward of each tile in turn; adds to `sums`. Returns the rows' loss. */     \
    template <typename T>                                                                        \
    double qmixer_loss_rows(const QMixerPlan<T>&, const QMixerWeights<T>&,                       \
                            const QMixerWeights<T>& back, const QMixerInputs<T>&,                \
                            const SquaredError<T>&, T* grad_agent_qs, QMixerSums<T>* sums,       \
                            std::int64_t begin, std::int64_t end);                               \
    /* As td_target_rows, the mixer's weights being made on the way; in.agent_qs is not read. */ \
    template <typename T>                                                                        \
    std::int64_t qmixer_target_rows(const QMixerPlan<T>&, const QMixerWeights<T>&,               \
                                    const QMixerInputs<T>&, const TdTarget<T>&,                  \
                                    std::int64_t begin, std::int64_t end);                       \
    }

PYQMIX_DECLARE_QMIXER_LEVEL(baseline)
PYQMIX_DECLARE_QMIXER_LEVEL(avx2)
PYQMIX_DECLARE_QMIXER_LEVEL(avx512)
