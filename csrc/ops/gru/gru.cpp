#include "ops/gru/gru.h"

#include <algorithm>
#include <memory>

#include "base/parallel.h"
#include "base/simd_dispatch.h"
#include "ops/gru/gru_cpu.h"
#include "ops/gru/plan.h"

namespace pyqmix {
namespace {

template <typename P>
GruParameters<P> of_group(const GruShape& shape, const GruParameters<P>& all, std::int64_t group) {
    const std::int64_t outputs = 3 * shape.hidden_dim;
    if (!all.weight_ih) return {};
    return {all.weight_ih + group * outputs * shape.input_dim,
            all.weight_hh + group * outputs * shape.hidden_dim, all.bias_ih + group * outputs,
            all.bias_hh + group * outputs};
}

// Bounds of the chunks of sequences, which do not depend on the number of threads. Chunks have
// about the same number of rows, in whole blocks of the products. Their number is a power of two,
// so that two or four threads share them evenly.
std::vector<std::int64_t> chunk_bounds(const GruSteps& steps) {
    constexpr std::int64_t kBlock = 8, kSmall = 32, kLarge = 128;
    const std::int64_t sequences = steps.steps() > 0 ? steps.sequences(0) : 0;
    const std::int64_t chunks = sequences < kSmall ? 1 : sequences < kLarge ? 2 : 4;
    const auto rows_of_first = [&](std::int64_t count) {
        std::int64_t rows = 0;
        for (std::int64_t t = 0; t < steps.steps(); ++t)
            rows += std::min(count, steps.sequences(t));
        return rows;
    };
    std::vector<std::int64_t> bounds{0};
    std::int64_t bound = 0;
    for (std::int64_t chunk = 1; chunk < chunks; ++chunk) {
        while (bound < sequences && rows_of_first(bound) * chunks < steps.offsets.back() * chunk)
            bound += kBlock;
        bounds.push_back(std::min(bound, sequences));
    }
    bounds.push_back(sequences);
    return bounds;
}

// All groups' chunks of one call.
template <typename T>
class Jobs {
   public:
    Jobs(const GruInputs<T>& in, bool backward)
        : in_(in), plan_(in.shape), steps_(in.batch_sizes), bounds_(chunk_bounds(steps_)) {
        for (std::int64_t group = 0; group < in.shape.groups; ++group)
            weights_.emplace_back(plan_, of_group(in.shape, in.parameters, group), backward);
    }

    const GruPlan<T>& plan() const { return plan_; }
    std::int64_t rows() const { return steps_.offsets.back(); }
    std::int64_t chunks() const { return static_cast<std::int64_t>(bounds_.size()) - 1; }

    // Calls body(job, group, chunk) for each; the jobs of a group have consecutive numbers.
    template <typename Body>
    void run(int threads, const Body& body) const {
        parallel_for(in_.shape.groups * chunks(), threads, 1,
                     [&](std::int64_t first, std::int64_t last) {
                         for (std::int64_t job = first; job < last; ++job)
                             body(job, job / chunks(), chunk(job));
                     });
    }

   private:
    GruChunk<T> chunk(std::int64_t job) const {
        const std::int64_t group = job / chunks();
        const auto part = static_cast<std::size_t>(job % chunks());
        return {plan_,
                weights_[static_cast<std::size_t>(group)],
                steps_,
                bounds_[part],
                bounds_[part + 1],
                {in_.features.data + group * plan_.inputs, in_.features.stride}};
    }

    const GruInputs<T>& in_;
    GruPlan<T> plan_;
    GruSteps steps_;
    std::vector<std::int64_t> bounds_;
    std::vector<GruWeights<T>> weights_;
};

// The block of PyTorch's rows (r, z, n) that is the k-th of the gates (n, r, z) and (r, z, hn).
constexpr std::int64_t kInputGates[] = {2, 0, 1}, kHiddenGates[] = {0, 1, 2};

template <typename T>
void put_back(const Panels<T>& to, const T* weight, const std::int64_t (&order)[3],
              std::int64_t hidden, std::int64_t hidden_width, std::int64_t columns) {
    for (std::int64_t k = 0; k < 3; ++k)
        for (std::int64_t j = 0; j < hidden; ++j) {
            const T* const row = weight + (order[k] * hidden + j) * columns;
            for (std::int64_t first = 0; first < columns; first += kPanel<T>)
                std::copy_n(row + first, std::min(kPanel<T>, columns - first),
                            to.at(k * hidden_width + j, first));
        }
}

// weight (3H, columns) and bias (3H) from the sums of one group's chunks.
template <typename T>
void write_gradients(const GruPlan<T>& plan, const std::unique_ptr<GruSums<T>>* sums,
                     std::int64_t chunks, const GruParameters<T>& to) {
    for (std::int64_t k = 0; k < 3; ++k)
        for (std::int64_t j = 0; j < plan.hidden; ++j) {
            const std::int64_t row = k * plan.hidden_width + j;
            const std::int64_t input_row = kInputGates[k] * plan.hidden + j;
            const std::int64_t hidden_row = kHiddenGates[k] * plan.hidden + j;
            T* const input = to.weight_ih + input_row * plan.inputs;
            T* const hidden = to.weight_hh + hidden_row * plan.hidden;
            double bias_ih = 0.0, bias_hh = 0.0;
            std::fill_n(input, plan.inputs, T(0));
            std::fill_n(hidden, plan.hidden, T(0));
            for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
                const GruSums<T>& of = *sums[chunk];
                const T* const from_input = of.input.data() + row * plan.input_width;
                const T* const from_hidden = of.hidden.data() + row * plan.hidden_width;
                for (std::int64_t i = 0; i < plan.inputs; ++i) input[i] += from_input[i];
                for (std::int64_t i = 0; i < plan.hidden; ++i) hidden[i] += from_hidden[i];
                bias_ih += of.bias.data()[row];
                bias_hh += of.bias.data()[plan.hidden_width + row];
            }
            to.bias_ih[input_row] = static_cast<T>(bias_ih);
            to.bias_hh[hidden_row] = static_cast<T>(bias_hh);
        }
}

}  // namespace

GruSteps::GruSteps(const std::vector<std::int64_t>& batch_sizes) : offsets{0} {
    for (const std::int64_t size : batch_sizes) offsets.push_back(offsets.back() + size);
}

template <typename T>
GruWeights<T>::GruWeights(const GruPlan<T>& plan, const GruParameters<const T>& from,
                          bool backward) {
    const std::int64_t sums = plan.sums_width, h = plan.hidden, wide = plan.hidden_width;
    if (backward) {
        input_memory_ = ZeroBlock<T>(sums * plan.input_width);
        hidden_memory_ = ZeroBlock<T>(sums * wide);
        input_back = {input_memory_.data(), sums, plan.input_width};
        hidden_back = {hidden_memory_.data(), sums, wide};
        put_back(input_back, from.weight_ih, kInputGates, h, wide, plan.inputs);
        put_back(hidden_back, from.weight_hh, kHiddenGates, h, wide, h);
        return;
    }
    input_memory_ = ZeroBlock<T>(plan.inputs * sums);
    hidden_memory_ = ZeroBlock<T>(h * sums);
    bias_memory_ = ZeroBlock<T>(plan.width);
    input = {input_memory_.data(), plan.inputs, sums};
    hidden = {hidden_memory_.data(), h, sums};
    bias = bias_memory_.data();
    for (std::int64_t k = 0; k < 3; ++k) {
        put_transposed(input, k * wide, from.weight_ih + kInputGates[k] * h * plan.inputs, h);
        put_transposed(hidden, k * wide, from.weight_hh + kHiddenGates[k] * h * h, h);
    }
    const GateRow<T> biases = plan.gates(bias_memory_.data());
    for (std::int64_t j = 0; j < h; ++j) {
        biases.r[j] = from.bias_ih[j] + from.bias_hh[j];
        biases.z[j] = from.bias_ih[h + j] + from.bias_hh[h + j];
        biases.n[j] = from.bias_ih[2 * h + j];
        biases.hn[j] = from.bias_hh[2 * h + j];
    }
}

template <typename T>
GruSums<T>::GruSums(const GruPlan<T>& plan)
    : input(plan.sums_width * plan.input_width),
      hidden(plan.sums_width * plan.hidden_width),
      bias(plan.width) {}

template <typename T>
std::int64_t gru_saved(const GruShape& shape, std::int64_t rows) {
    return shape.groups * rows * GruPlan<T>(shape).width;
}

template <typename T>
void gru_forward_cpu(const GruInputs<T>& in, T* hidden, T* saved, int threads) {
    const Jobs<T> jobs(in, false);
    const GruPlan<T>& plan = jobs.plan();
    jobs.run(threads, [&](std::int64_t, std::int64_t group, const GruChunk<T>& chunk) {
        const Rows<T> out{hidden + group * plan.hidden, in.shape.groups * plan.hidden};
        T* const kept = saved ? saved + group * jobs.rows() * plan.width : nullptr;
        PYQMIX_AT_SIMD_LEVEL(gru_forward_chunk, chunk, out, kept);
    });
}

template <typename T>
void gru_backward_cpu(const GruInputs<T>& in, const T* hidden, const T* saved,
                      Rows<const T> grad_hidden, const GruParameters<T>& grads, T* grad_features,
                      int threads) {
    const Jobs<T> jobs(in, true);
    const GruPlan<T>& plan = jobs.plan();
    const std::int64_t groups = in.shape.groups, chunks = jobs.chunks();
    const bool wanted = grads.weight_ih != nullptr;
    std::vector<std::unique_ptr<GruSums<T>>> sums(wanted ? static_cast<std::size_t>(groups * chunks)
                                                         : 0);
    for (auto& of_job : sums) of_job = std::make_unique<GruSums<T>>(plan);
    jobs.run(threads, [&](std::int64_t job, std::int64_t group, const GruChunk<T>& chunk) {
        GruBackward<T> to;
        to.hidden = {hidden + group * plan.hidden, groups * plan.hidden};
        to.grad_hidden = {grad_hidden.data + group * plan.hidden, grad_hidden.stride};
        to.saved = saved + group * jobs.rows() * plan.width;
        if (grad_features)
            to.grad_features = {grad_features + group * plan.inputs, groups * plan.inputs};
        if (wanted) to.sums = sums[static_cast<std::size_t>(job)].get();
        PYQMIX_AT_SIMD_LEVEL(gru_backward_chunk, chunk, to);
    });
    if (wanted)
        for (std::int64_t group = 0; group < groups; ++group)
            write_gradients(plan, &sums[static_cast<std::size_t>(group * chunks)], chunks,
                            of_group(in.shape, grads, group));
}

#define PYQMIX_GRU_OF(T)                                                                   \
    template struct GruWeights<T>;                                                         \
    template struct GruSums<T>;                                                            \
    template std::int64_t gru_saved<T>(const GruShape&, std::int64_t);                     \
    template void gru_forward_cpu(const GruInputs<T>&, T*, T*, int);                       \
    template void gru_backward_cpu(const GruInputs<T>&, const T*, const T*, Rows<const T>, \
                                   const GruParameters<T>&, T*, int);
PYQMIX_GRU_OF(float)
PYQMIX_GRU_OF(double)

}  // namespace pyqmix
