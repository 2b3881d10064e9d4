#include "ops/gru/gru_cpu.h"

#include <algorithm>
#include <vector>

#include "base/column_sums.h"
#include "gemm/gemm.h"

namespace pyqmix::PYQMIX_SIMD_NAMESPACE {
namespace {

constexpr std::int64_t kTogether = 128;  // the most rows of gradients added to the sums at a time

// Gathers steps of few sequences, with their features and the states before them, until they have
// enough rows for an efficient product.
template <typename T>
class Tile {
   public:
    Tile(const GruChunk<T>& chunk, const GruBackward<T>& to)
        : chunk_(chunk),
          to_(to),
          plan_(chunk.plan),
          capacity_(std::max(kTogether, chunk.last - chunk.first)),
          grads_(capacity_ * plan_.width),
          inputs_(capacity_ * plan_.input_width),
          before_(capacity_ * plan_.hidden_width) {}

    // Returns rows for the gates' gradients of `count` sequences, the first of which is row `row`.
    // Their padding stays zero.
    T* add(std::int64_t row, std::int64_t count) {
        if (used_ + count > capacity_) flush();
        segments_.push_back({row, used_, count});
        used_ += count;
        return grads_.data() + segments_.back().place * plan_.width;
    }

    // Copies the features and states of the latest rows, which the parameters' gradients need;
    // `before` is null at step 0.
    void take(const Rows<const T>& before, std::int64_t row_before) {
        if (!to_.sums) return;
        const Segment& at = segments_.back();
        for (std::int64_t r = 0; r < at.count; ++r) {
            std::copy_n(chunk_.features[at.row + r], plan_.inputs,
                        inputs_.data() + (at.place + r) * plan_.input_width);
            T* const state = before_.data() + (at.place + r) * plan_.hidden_width;
            if (before.data)
                std::copy_n(before[row_before + r], plan_.hidden, state);
            else
                std::fill_n(state, plan_.hidden, T(0));
        }
    }

    void flush() {
        if (to_.sums)
            for (std::int64_t row = 0; row < used_; row += kTogether)
                add_to_sums(row, std::min(kTogether, used_ - row));
        if (to_.grad_features.data) write_grad_features();
        segments_.clear();
        used_ = 0;
    }

   private:
    struct Segment {
        std::int64_t row, place, count;
    };

    void add_to_sums(std::int64_t row, std::int64_t rows) const {
        const T* const grads = grads_.data() + row * plan_.width;
        add_outer_product<T>(rows, plan_.sums_width, plan_.input_width, grads, plan_.width,
                             inputs_.data() + row * plan_.input_width, plan_.input_width,
                             to_.sums->input.data(), plan_.input_width);
        add_outer_product<T>(rows, plan_.sums_width, plan_.hidden_width, grads + plan_.hidden_width,
                             plan_.width, before_.data() + row * plan_.hidden_width,
                             plan_.hidden_width, to_.sums->hidden.data(), plan_.hidden_width);
        add_columns<T>(rows, plan_.width, {grads, plan_.width}, to_.sums->bias.data());
    }

    // Overwrites the features of the tile, which are no longer needed.
    void write_grad_features() const {
        Finish<T> finish;
        finish.overwrite = true;
        product<T>(used_, grads_.data(), plan_.width, chunk_.weights.input_back, inputs_.data(),
                   plan_.input_width, finish);
        for (const Segment& at : segments_)
            for (std::int64_t r = 0; r < at.count; ++r)
                std::copy_n(inputs_.data() + (at.place + r) * plan_.input_width, plan_.inputs,
                            to_.grad_features[at.row + r]);
    }

    const GruChunk<T>& chunk_;
    const GruBackward<T>& to_;
    const GruPlan<T>& plan_;
    std::int64_t capacity_, used_ = 0;
    ZeroBlock<T> grads_, inputs_, before_;
    std::vector<Segment> segments_;
};

}  // namespace

template <typename T>
void gru_forward_chunk(const GruChunk<T>& chunk, Rows<T> hidden, T* saved) {
    const GruPlan<T>& plan = chunk.plan;
    const ZeroBlock<T> start(plan.hidden);
    const ZeroBlock<T> scratch(saved ? 0 : (chunk.last - chunk.first) * plan.width);
    const T* const bias = chunk.weights.bias;
    Finish<T> with_bias;
    with_bias.bias = bias;
    for (std::int64_t t = 0; t < chunk.steps.steps(); ++t) {
        const std::int64_t count = chunk.reach(t), row = chunk.steps.offset(t) + chunk.first;
        if (count == 0) break;
        T* const gates = saved ? saved + row * plan.width : scratch.data();
        product<T>(count, chunk.features[row], chunk.features.stride, chunk.weights.input, gates,
                   plan.width, with_bias);
        for (std::int64_t r = 0; r < count; ++r)
            std::copy_n(bias + plan.sums_width, plan.hidden_width,
                        plan.gates(gates + r * plan.width).hn);
        Rows<const T> before{start.data(), 0};
        if (t > 0) {
            before = {hidden[chunk.steps.offset(t - 1) + chunk.first], hidden.stride};
            product<T>(count, before.data, before.stride, chunk.weights.hidden, plan.gates(gates).r,
                       plan.width, {});
        }
        for (std::int64_t r = 0; r < count; ++r)
            gates_forward(plan.hidden, plan.gates(gates + r * plan.width), before[r],
                          hidden[row + r]);
    }
}

template <typename T>
void gru_backward_chunk(const GruChunk<T>& chunk, const GruBackward<T>& to) {
    const GruPlan<T>& plan = chunk.plan;
    const ZeroBlock<T> start(plan.hidden);
    const ZeroBlock<T> carried((chunk.last - chunk.first) * plan.hidden_width);
    Tile<T> tile(chunk, to);
    for (std::int64_t t = chunk.steps.steps() - 1; t >= 0; --t) {
        const std::int64_t count = chunk.reach(t), row = chunk.steps.offset(t) + chunk.first;
        if (count == 0) continue;
        Rows<const T> before{start.data(), 0};
        const std::int64_t row_before = t > 0 ? chunk.steps.offset(t - 1) + chunk.first : 0;
        if (t > 0) before = {to.hidden[row_before], to.hidden.stride};
        T* const grads = tile.add(row, count);
        for (std::int64_t r = 0; r < count; ++r)
            gates_backward<T>(plan.hidden, plan.gates(to.saved + (row + r) * plan.width), before[r],
                              to.grad_hidden[row + r], carried.data() + r * plan.hidden_width,
                              plan.gates(grads + r * plan.width));
        tile.take(t > 0 ? to.hidden : Rows<const T>{}, row_before);
        if (t > 0)
            product<T>(count, plan.gates(grads).r, plan.width, chunk.weights.hidden_back,
                       carried.data(), plan.hidden_width, {});
    }
    tile.flush();
}

#define PYQMIX_GRU_CHUNK_OF(T)                                        \
    template void gru_forward_chunk(const GruChunk<T>&, Rows<T>, T*); \
    template void gru_backward_chunk(const GruChunk<T>&, const GruBackward<T>&);
PYQMIX_GRU_CHUNK_OF(float)
PYQMIX_GRU_CHUNK_OF(double)

}  // namespace pyqmix::PYQMIX_SIMD_NAMESPACE
