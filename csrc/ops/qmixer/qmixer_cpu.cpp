#include "ops/qmixer/qmixer_cpu.h"

#include <utility>

#include "base/column_sums.h"
#include "gemm/gemm.h"
#include "ops/mix/mix_math.h"
#include "ops/td_target/td_target_math.h"

namespace pyqmix::PYQMIX_SIMD_NAMESPACE {
namespace {

// The hypernetworks of one tile.
template <typename T>
void hypernetworks(const QMixerPlan<T>& plan, const QMixerWeights<T>& weights, Rows<const T> states,
                   std::int64_t rows, const Activations<T>& out) {
    Finish<T> finish;
    finish.bias = weights.first_bias;
    finish.relu_width = plan.relu_width;
    product(rows, states.data, states.stride, weights.first, out.z.data, out.z.stride, finish);
    if (!plan.two_layers) return;
    finish.relu_width = 0;
    finish.bias = weights.w1_bias;
    product<T>(rows, out.z.data, out.z.stride, weights.w1_out, out.w1.data, out.w1.stride, finish);
    finish.bias = weights.w_final_bias;
    product<T>(rows, out.at(plan.hidden_f).data, out.z.stride, weights.w_final_out,
               out.w_final.data, out.w_final.stride, finish);
}

// v of each row of a tile.
template <typename T>
void state_values(const QMixerPlan<T>& plan, const QMixerWeights<T>& weights, std::int64_t rows,
                  const Activations<T>& tile, T* v) {
    const Rows<T> hidden = tile.at(plan.hidden_v);
    for (std::int64_t r = 0; r < rows; ++r) {
        const T* at = hidden[r];
        T sum[kMixBlock] = {};
        for_mix_blocks(plan.embed, [&](std::int64_t first, auto width) {
            for (int j = 0; j < width; ++j) sum[j] += at[first + j] * weights.v_out[first + j];
        });
        v[r] = sum_block(sum) + weights.v_bias;
    }
}

// A tile's rows as the mixing of one sample reads them.
template <typename T>
MixInputs<T> mix_inputs(const QMixerPlan<T>& plan, const Activations<T>& tile, std::int64_t rows,
                        Rows<const T> agent_qs, const T* v) {
    const auto constant = [](Rows<T> x) { return Rows<const T>{x.data, x.stride}; };
    return {rows,
            plan.n,
            plan.embed,
            agent_qs,
            constant(tile.w1),
            constant(tile.at(plan.b1)),
            constant(tile.w_final),
            {v, 1}};
}

// Calls visit(first row, rows) for each tile of `size` rows of [begin, end).
template <typename Visit>
void for_tiles(std::int64_t begin, std::int64_t end, std::int64_t size, const Visit& visit) {
    for (std::int64_t row = begin; row < end; row += size) visit(row, std::min(size, end - row));
}

template <typename T>
Rows<T> from(Rows<T> all, std::int64_t row) {
    return {all[row], all.stride};
}

constexpr std::int64_t kTogether = 8;  // rows, as in add_columns

// Gradients of a tile.
template <typename T>
struct TileGrads {
    Activations<T> of;
    T* v;
};

// Memory of a tile's gradients. Those of z lie together for a group of tiles, so that the product
// with the states, the largest, adds to its sums less often. Padding is uninitialised, because no
// gradient that is read depends on it.
template <typename T>
class GroupGrads {
   public:
    explicit GroupGrads(const QMixerPlan<T>& plan)
        : two_layers_(plan.two_layers),
          memory_(plan.activations(kOuterDepth) + kQMixerTileRows),
          group_{{plan, memory_.data(), kOuterDepth},
                 memory_.data() + plan.activations(kOuterDepth)} {}

    // The tile whose first row is `row` of the group.
    TileGrads<T> tile(std::int64_t row) const {
        TileGrads<T> out{group_.of.from(row), group_.v};
        if (two_layers_) out.of.w1 = group_.of.w1, out.of.w_final = group_.of.w_final;
        return out;
    }
    Rows<const T> z() const { return {group_.of.z.data, group_.of.z.stride}; }

   private:
    bool two_layers_;
    Scratch<T> memory_;
    TileGrads<T> group_;
};

// From v to its hidden layer and its weights, a few rows at a time as in add_columns.
template <typename T>
void state_value_backward(const QMixerPlan<T>& plan, const QMixerWeights<T>& weights,
                          std::int64_t rows, const Activations<T>& tile, const TileGrads<T>& grads,
                          QMixerSums<T>& sums) {
    const Rows<T> hidden = tile.at(plan.hidden_v), grad_hidden = grads.of.at(plan.hidden_v);
    for (std::int64_t first = 0; first < plan.embed_width; first += kPanel<T>) {
        T out[kPanel<T>] = {};
        const std::int64_t width = std::min(kPanel<T>, plan.embed - first);
        std::copy_n(weights.v_out + first, width, out);
        for (std::int64_t row = 0; row < rows; row += kTogether) {
            T few[kPanel<T>] = {};
            for (std::int64_t r = row; r < std::min(row + kTogether, rows); ++r) {
                const T grad = grads.v[r];
                const T* const value = hidden[r] + first;
                T passed[kPanel<T>];
                for (std::int64_t j = 0; j < kPanel<T>; ++j) {
                    few[j] += grad * value[j];
                    passed[j] = value[j] > T(0) ? grad * out[j] : T(0);
                }
                std::copy_n(passed, kPanel<T>, grad_hidden[r] + first);
            }
            for (std::int64_t j = 0; j < width; ++j) sums.v_out[first + j] += few[j];
        }
    }
    for (std::int64_t r = 0; r < rows; ++r) *sums.v_bias += grads.v[r];
}

template <typename T>
void backward_to_hidden(const QMixerPlan<T>& plan, const QMixerWeights<T>& weights,
                        std::int64_t rows, const Activations<T>& tile, const TileGrads<T>& grads,
                        QMixerSums<T>& sums) {
    state_value_backward(plan, weights, rows, tile, grads, sums);
    if (!plan.two_layers) return;
    Finish<T> finish;
    finish.overwrite = true;
    finish.positive_stride = tile.z.stride;
    finish.positive = tile.z.data;
    product(rows, grads.of.w1.data, grads.of.w1.stride, weights.w1_back, grads.of.z.data,
            grads.of.z.stride, finish);
    finish.positive = tile.at(plan.hidden_f).data;
    product(rows, grads.of.w_final.data, grads.of.w_final.stride, weights.w_final_back,
            grads.of.at(plan.hidden_f).data, grads.of.z.stride, finish);
}

// The second layers' weights.
template <typename T>
void add_out_gradients(const QMixerPlan<T>& plan, std::int64_t rows, const Activations<T>& tile,
                       const TileGrads<T>& grads, QMixerSums<T>& sums) {
    const auto constant = [](Rows<T> x) { return Rows<const T>{x.data, x.stride}; };
    add_outer_product(rows, plan.hyper, plan.w1_width, static_cast<const T*>(tile.z.data),
                      tile.z.stride, static_cast<const T*>(grads.of.w1.data), grads.of.w1.stride,
                      sums.w1_out.data, sums.w1_out.stride);
    add_columns(rows, plan.w1_width, constant(grads.of.w1), sums.w1_bias);
    add_outer_product(rows, plan.hyper, plan.embed_width,
                      static_cast<const T*>(tile.at(plan.hidden_f).data), tile.z.stride,
                      static_cast<const T*>(grads.of.w_final.data), grads.of.w_final.stride,
                      sums.w_final_out.data, sums.w_final_out.stride);
    add_columns(rows, plan.embed_width, constant(grads.of.w_final), sums.w_final_bias);
}

// q_tot of a tile from its states; fills `tile`.
template <typename T>
void forward_tile(const QMixerPlan<T>& plan, const QMixerWeights<T>& weights,
                  const QMixerInputs<T>& in, std::int64_t row, std::int64_t rows,
                  const Activations<T>& tile, T* q_tot) {
    T v[kQMixerTileRows];
    hypernetworks(plan, weights, from(in.states, row), rows, tile);
    state_values(plan, weights, rows, tile, v);
    const Rows<const T> agent_qs = from(in.agent_qs, row);
    const MixInputs<T> mix = mix_inputs<T>(plan, tile, rows, agent_qs, v);
    for (std::int64_t r = 0; r < rows; ++r) q_tot[r] = mix_row(mix, r, agent_qs[r]);
}

// Gradients of rows [begin, end). visit(row, rows) returns a tile's activations and its gradients
// of q_tot. Adds to `sums` unless it is null.
template <typename T, typename Visit>
void backward_tiles(const QMixerPlan<T>& plan, const QMixerWeights<T>& weights,
                    const QMixerInputs<T>& in, T* grad_agent_qs, QMixerSums<T>* sums,
                    std::int64_t begin, std::int64_t end, const Visit& visit) {
    const GroupGrads<T> group(plan);
    for_tiles(begin, end, kOuterDepth, [&](std::int64_t first, std::int64_t group_rows) {
        for_tiles(first, first + group_rows, kQMixerTileRows,
                  [&](std::int64_t row, std::int64_t rows) {
                      const auto [tile, grad_q_tot] = visit(row, rows);
                      const TileGrads<T> grads = group.tile(row - first);
                      const MixBackward<T> mix{
                          mix_inputs<T>(plan, tile, rows, from(in.agent_qs, row), nullptr),
                          grad_q_tot,
                          {grad_agent_qs + row * plan.n, plan.n},
                          grads.of.w1,
                          grads.of.at(plan.b1),
                          grads.of.w_final,
                          {grads.v, 1}};
                      for (std::int64_t r = 0; r < rows; ++r) mix_row_backward(mix, r);
                      if (!sums) return;
                      backward_to_hidden(plan, weights, rows, tile, grads, *sums);
                      if (plan.two_layers) add_out_gradients(plan, rows, tile, grads, *sums);
                  });
        if (!sums) return;
        const Rows<const T> states = from(in.states, first), grad_z = group.z();
        add_outer_product(group_rows, plan.state_dim, plan.width, states.data, states.stride,
                          grad_z.data, grad_z.stride, sums->first.data, sums->first.stride);
        add_columns(group_rows, plan.width, grad_z, sums->first_bias);
    });
}

template <typename T>
using TileAndGrad = std::pair<Activations<T>, Rows<const T>>;

}  // namespace

template <typename T>
void qmixer_forward_rows(const QMixerPlan<T>& plan, const QMixerWeights<T>& weights,
                         const QMixerInputs<T>& in, T* q_tot, T* saved, std::int64_t begin,
                         std::int64_t end) {
    const Scratch<T> scratch(saved ? 0 : plan.activations(kQMixerTileRows));
    for_tiles(begin, end, kQMixerTileRows, [&](std::int64_t row, std::int64_t rows) {
        const Activations<T> tile = saved ? Activations<T>(plan, saved, in.rows).from(row)
                                          : Activations<T>(plan, scratch.data(), kQMixerTileRows);
        forward_tile(plan, weights, in, row, rows, tile, q_tot + row);
    });
}

template <typename T>
void qmixer_backward_rows(const QMixerPlan<T>& plan, const QMixerWeights<T>& weights,
                          const QMixerInputs<T>& in, const T* saved, Rows<const T> grad_q_tot,
                          T* grad_agent_qs, QMixerSums<T>* sums, std::int64_t begin,
                          std::int64_t end) {
    const Activations<T> all(plan, const_cast<T*>(saved), in.rows);  // only read
    backward_tiles(plan, weights, in, grad_agent_qs, sums, begin, end,
                   [&](std::int64_t row, std::int64_t) {
                       return TileAndGrad<T>{all.from(row), from(grad_q_tot, row)};
                   });
}

template <typename T>
double qmixer_loss_rows(const QMixerPlan<T>& plan, const QMixerWeights<T>& weights,
                        const QMixerWeights<T>& back, const QMixerInputs<T>& in,
                        const SquaredError<T>& error, T* grad_agent_qs, QMixerSums<T>* sums,
                        std::int64_t begin, std::int64_t end) {
    const Scratch<T> scratch(plan.activations(kQMixerTileRows));
    const Activations<T> tile(plan, scratch.data(), kQMixerTileRows);
    T grad_q_tot[kQMixerTileRows];
    double loss = 0.0;
    backward_tiles(plan, back, in, grad_agent_qs, sums, begin, end,
                   [&](std::int64_t row, std::int64_t rows) {
                       forward_tile(plan, weights, in, row, rows, tile, error.q_tot + row);
                       for (std::int64_t r = 0; r < rows; ++r) {
                           const T away = error.q_tot[row + r] - error.targets[row + r];
                           const T weighted = error.weights[row + r] * away;
                           grad_q_tot[r] = T(2) * weighted;
                           loss += static_cast<double>(weighted) * static_cast<double>(away);
                       }
                       return TileAndGrad<T>{tile, {grad_q_tot, 1}};
                   });
    return loss;
}

template <typename T>
std::int64_t qmixer_target_rows(const QMixerPlan<T>& plan, const QMixerWeights<T>& weights,
                                const QMixerInputs<T>& in, const TdTarget<T>& target,
                                std::int64_t begin, std::int64_t end) {
    const Scratch<T> scratch(plan.activations(kQMixerTileRows));
    const Activations<T> tile(plan, scratch.data(), kQMixerTileRows);
    T v[kQMixerTileRows];
    std::int64_t found = kAllAvailable;
    for_tiles(begin, end, kQMixerTileRows, [&](std::int64_t row, std::int64_t rows) {
        hypernetworks(plan, weights, from(in.states, row), rows, tile);
        state_values(plan, weights, rows, tile, v);
        TdTarget<T> at = target;
        at.mixer = mix_inputs<T>(plan, tile, rows, {}, v);
        at.next_qs = from(target.next_qs, row);
        if (target.online_next_qs.data) at.online_next_qs = from(target.online_next_qs, row);
        at.avail = from(target.avail, row);
        at.rewards = from(target.rewards, row);
        at.terminated = from(target.terminated, row);
        at.chosen_qs += row * plan.n;
        at.y += row;
        for (std::int64_t r = 0; r < rows; ++r) {
            const std::int64_t agent = td_target_row(at, r);
            if (agent != kAllAvailable && found == kAllAvailable)
                found = (row + r) * plan.n + agent;
        }
    });
    return found;
}

#define PYQMIX_QMIXER_ROWS_OF(T)                                                                   \
    template void qmixer_forward_rows(const QMixerPlan<T>&, const QMixerWeights<T>&,               \
                                      const QMixerInputs<T>&, T*, T*, std::int64_t, std::int64_t); \
    template void qmixer_backward_rows(const QMixerPlan<T>&, const QMixerWeights<T>&,              \
                                       const QMixerInputs<T>&, const T*, Rows<const T>, T*,        \
                                       QMixerSums<T>*, std::int64_t, std::int64_t);                \
    template double qmixer_loss_rows(const QMixerPlan<T>&, const QMixerWeights<T>&,                \
                                     const QMixerWeights<T>&, const QMixerInputs<T>&,              \
                                     const SquaredError<T>&, T*, QMixerSums<T>*, std::int64_t,     \
                                     std::int64_t);                                                \
    template std::int64_t qmixer_target_rows(const QMixerPlan<T>&, const QMixerWeights<T>&,        \
                                             const QMixerInputs<T>&, const TdTarget<T>&,           \
                                             std::int64_t, std::int64_t);
PYQMIX_QMIXER_ROWS_OF(float)
PYQMIX_QMIXER_ROWS_OF(double)

}  // namespace pyqmix::PYQMIX_SIMD_NAMESPACE
