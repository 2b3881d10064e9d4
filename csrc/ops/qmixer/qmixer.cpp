#include "ops/qmixer/qmixer.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include "base/row_chunks.h"
#include "base/simd_dispatch.h"
#include "ops/qmixer/plan.h"
#include "ops/qmixer/qmixer_cpu.h"

namespace pyqmix {
namespace {

// Calls body(chunk, begin, end) for each chunk of the rows.
template <typename Body>
void for_row_chunks(std::int64_t rows, int threads, const Body& body) {
    for_chunks(1, rows, kQMixerTileRows, threads,
               [&](std::int64_t chunk, std::int64_t, std::int64_t begin, std::int64_t end) {
                   body(chunk, begin, end);
               });
}

// Cuts one block of memory into parts, each aligned as the block is.
template <typename T>
class Cutter {
   public:
    T* take(std::int64_t count) {
        T* const out = memory_ ? memory_ + used_ : nullptr;
        used_ += padded<T>(count);
        return out;
    }
    // Allocates zeroed memory for the parts; the same calls of take() then return them.
    Workspace back() {
        const auto bytes = static_cast<std::size_t>(used_) * sizeof(T);
        Workspace block(bytes);
        memory_ = static_cast<T*>(block.data());
        std::memset(memory_, 0, bytes);
        used_ = 0;
        return block;
    }

    std::int64_t used() const { return used_; }

   private:
    T* memory_ = nullptr;
    std::int64_t used_ = 0;
};

template <typename T>
void put_bias(T* to, const T* from, std::int64_t count) {
    std::copy_n(from, count, to);
}

// The sums of each chunk.
template <typename T>
using ChunkSums = std::vector<std::unique_ptr<QMixerSums<T>>>;

template <typename T>
ChunkSums<T> chunk_sums(const QMixerPlan<T>& plan, std::int64_t rows) {
    ChunkSums<T> sums(static_cast<std::size_t>(chunks_of(rows, kQMixerTileRows)));
    for (auto& chunk : sums) chunk = std::make_unique<QMixerSums<T>>(plan);
    return sums;
}

// Adds the sums of the other chunks to those of the first, piece by piece, so that the total is
// read from memory once, from front to back.
template <typename T>
const QMixerSums<T>& total_of(const ChunkSums<T>& sums) {
    const auto add = [&](const auto& part_of) {
        constexpr std::int64_t kPiece = 2048;
        const auto total = part_of(*sums[0]);
        for (std::int64_t first = 0; first < total.count; first += kPiece) {
            const std::int64_t end = std::min(first + kPiece, total.count);
            for (std::size_t chunk = 1; chunk < sums.size(); ++chunk) {
                const auto* const from = part_of(*sums[chunk]).data;
                for (std::int64_t i = first; i < end; ++i) total.data[i] += from[i];
            }
        }
    };
    add([](const QMixerSums<T>& of) { return of.products(); });
    add([](const QMixerSums<T>& of) { return of.vectors(); });
    return *sums[0];
}

// out (N, K), transposed from columns [column, column + N) of (K, N).
template <typename T>
void put_weight(Rows<T> sums, std::int64_t column, std::int64_t outputs, std::int64_t inputs,
                T* out) {
    constexpr std::int64_t kSide = kPanel<T>;
    T square[kSide][kSide];  // outputs by inputs
    for (std::int64_t i = 0; i < inputs; i += kSide)
        for (std::int64_t o = 0; o < outputs; o += kSide) {
            const std::int64_t width = std::min(kSide, outputs - o),
                               depth = std::min(kSide, inputs - i);
            for (std::int64_t k = 0; k < depth; ++k) {
                const T* const from = sums[i + k] + column + o;  // a whole panel is there
                for (std::int64_t j = 0; j < kSide; ++j) square[j][k] = from[j];
            }
            for (std::int64_t j = 0; j < width; ++j)
                std::copy_n(square[j], depth, out + (o + j) * inputs + i);
        }
}

template <typename T>
void put_bias_sums(const double* sums, std::int64_t outputs, T* out) {
    for (std::int64_t j = 0; j < outputs; ++j) out[j] = static_cast<T>(sums[j]);
}

template <typename T>
void write_gradients(const QMixerPlan<T>& plan, const QMixerSums<T>& sums,
                     const QMixerLayers<T>& grads) {
    const auto put = [&](Rows<T> weight, const double* bias, std::int64_t column,
                         std::int64_t outputs, std::int64_t inputs, const Linear<T>& to) {
        put_weight(weight, column, outputs, inputs, to.weight);
        put_bias_sums(bias + column, outputs, to.bias);
    };
    const auto put_first = [&](std::int64_t column, std::int64_t outputs, const Linear<T>& to) {
        put(sums.first, sums.first_bias, column, outputs, plan.state_dim, to);
    };
    const std::int64_t weights = plan.n * plan.embed;
    put_first(plan.hidden_v, plan.embed, grads.v_in);
    put_first(plan.b1, plan.embed, grads.b1);
    put_bias_sums(sums.v_out, plan.embed, grads.v_out.weight);
    put_bias_sums(sums.v_bias, 1, grads.v_out.bias);
    if (!plan.two_layers) {
        put_first(plan.w1, weights, grads.w1_in);
        put_first(plan.w_final, plan.embed, grads.w_final_in);
        return;
    }
    put_first(0, plan.hyper, grads.w1_in);
    put_first(plan.hidden_f, plan.hyper, grads.w_final_in);
    put(sums.w1_out, sums.w1_bias, 0, weights, plan.hyper, grads.w1_out);
    put(sums.w_final_out, sums.w_final_bias, 0, plan.embed, plan.hyper, grads.w_final_out);
}

}  // namespace

template <typename T>
QMixerWeights<T>::QMixerWeights(const QMixerPlan<T>& plan, const QMixerLayers<const T>& layers,
                                bool backward)
    : v_out(layers.v_out.weight), v_bias(*layers.v_out.bias) {
    const std::int64_t weights = plan.n * plan.embed;
    Cutter<T> cutter;
    const auto cut = [&] {
        const auto panels = [&](std::int64_t depth, std::int64_t width) {
            return Panels<T>{cutter.take(depth * width), depth, width};
        };
        if (!backward) first = panels(plan.state_dim, plan.width);
        first_bias = cutter.take(plan.width);
        if (!plan.two_layers) return;
        if (backward) {
            w1_back = panels(weights, plan.hidden_width);
            w_final_back = panels(plan.embed, plan.hidden_width);
        } else {
            w1_out = panels(plan.hyper, plan.w1_width);
            w_final_out = panels(plan.hyper, plan.embed_width);
            w1_bias = cutter.take(plan.w1_width);
            w_final_bias = cutter.take(plan.embed_width);
        }
    };
    cut();
    memory_ = cutter.back();
    cut();
    if (backward) {
        if (!plan.two_layers) return;
        put(w1_back, layers.w1_out.weight, plan.hyper);
        put(w_final_back, layers.w_final_out.weight, plan.hyper);
        return;
    }
    const auto put_first = [&](std::int64_t column, const Linear<const T>& layer,
                               std::int64_t outputs) {
        put_transposed(first, column, layer.weight, outputs);
        put_bias(first_bias + column, layer.bias, outputs);
    };
    put_first(plan.hidden_v, layers.v_in, plan.embed);
    put_first(plan.b1, layers.b1, plan.embed);
    if (!plan.two_layers) {
        put_first(plan.w1, layers.w1_in, weights);
        put_first(plan.w_final, layers.w_final_in, plan.embed);
        return;
    }
    put_first(0, layers.w1_in, plan.hyper);
    put_first(plan.hidden_f, layers.w_final_in, plan.hyper);
    put_transposed(w1_out, 0, layers.w1_out.weight, weights);
    put_bias(w1_bias, layers.w1_out.bias, weights);
    put_transposed(w_final_out, 0, layers.w_final_out.weight, plan.embed);
    put_bias(w_final_bias, layers.w_final_out.bias, plan.embed);
}

template <typename T>
QMixerSums<T>::QMixerSums(const QMixerPlan<T>& plan) {
    Cutter<T> of_products;
    Cutter<double> of_vectors;
    const auto cut = [&] {
        const auto rows = [&](std::int64_t count, std::int64_t width) {
            return Rows<T>{of_products.take(count * width), width};
        };
        first = rows(plan.state_dim, plan.width);
        first_bias = of_vectors.take(plan.width);
        v_out = of_vectors.take(plan.embed);
        v_bias = of_vectors.take(1);
        if (!plan.two_layers) return;
        w1_out = rows(plan.hyper, plan.w1_width);
        w_final_out = rows(plan.hyper, plan.embed_width);
        w1_bias = of_vectors.take(plan.w1_width);
        w_final_bias = of_vectors.take(plan.embed_width);
    };
    cut();
    products_ = of_products.back();
    vectors_ = of_vectors.back();
    cut();
    product_count_ = of_products.used();
    vector_count_ = of_vectors.used();
}

template <typename T>
std::int64_t qmixer_saved(const QMixerShape& shape, std::int64_t rows) {
    return QMixerPlan<T>(shape).activations(rows);
}

template <typename T>
void qmixer_forward_cpu(const QMixerInputs<T>& in, T* q_tot, T* saved, int threads) {
    const QMixerPlan<T> plan(in.shape);
    const QMixerWeights<T> weights(plan, in.layers, false);
    for_row_chunks(in.rows, threads, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
        PYQMIX_AT_SIMD_LEVEL(qmixer_forward_rows, plan, weights, in, q_tot, saved, begin, end);
    });
}

template <typename T>
void qmixer_backward_cpu(const QMixerInputs<T>& in, const T* saved, Rows<const T> grad_q_tot,
                         const QMixerLayers<T>& grads, T* grad_agent_qs, int threads) {
    const QMixerPlan<T> plan(in.shape);
    const QMixerWeights<T> weights(plan, in.layers, true);
    const bool wanted = grads.w1_in.weight != nullptr;
    const ChunkSums<T> sums = wanted ? chunk_sums(plan, in.rows) : ChunkSums<T>();
    for_row_chunks(in.rows, threads, [&](std::int64_t chunk, std::int64_t begin, std::int64_t end) {
        QMixerSums<T>* const own = wanted ? sums[static_cast<std::size_t>(chunk)].get() : nullptr;
        PYQMIX_AT_SIMD_LEVEL(qmixer_backward_rows, plan, weights, in, saved, grad_q_tot,
                             grad_agent_qs, own, begin, end);
    });
    if (wanted) write_gradients(plan, total_of(sums), grads);
}

template <typename T>
double qmixer_loss_cpu(const QMixerInputs<T>& in, const SquaredError<T>& error,
                       const QMixerLayers<T>& grads, T* grad_agent_qs, int threads) {
    const QMixerPlan<T> plan(in.shape);
    const QMixerWeights<T> weights(plan, in.layers, false), back(plan, in.layers, true);
    const ChunkSums<T> sums = chunk_sums(plan, in.rows);
    std::vector<double> losses(sums.size());
    for_row_chunks(in.rows, threads, [&](std::int64_t chunk, std::int64_t begin, std::int64_t end) {
        const auto at = static_cast<std::size_t>(chunk);
        losses[at] = PYQMIX_AT_SIMD_LEVEL(qmixer_loss_rows, plan, weights, back, in, error,
                                          grad_agent_qs, sums[at].get(), begin, end);
    });
    write_gradients(plan, total_of(sums), grads);
    return std::accumulate(losses.begin(), losses.end(), 0.0);
}

template <typename T>
std::int64_t qmixer_td_target_cpu(const QMixerInputs<T>& in, const TdTarget<T>& target,
                                  int threads) {
    const QMixerPlan<T> plan(in.shape);
    const QMixerWeights<T> weights(plan, in.layers, false);
    std::vector<std::int64_t> found(static_cast<std::size_t>(chunks_of(in.rows, kQMixerTileRows)),
                                    kAllAvailable);
    for_row_chunks(in.rows, threads, [&](std::int64_t chunk, std::int64_t begin, std::int64_t end) {
        found[static_cast<std::size_t>(chunk)] =
            PYQMIX_AT_SIMD_LEVEL(qmixer_target_rows, plan, weights, in, target, begin, end);
    });
    for (const std::int64_t agent : found)
        if (agent != kAllAvailable) return agent;
    return kAllAvailable;
}

#define PYQMIX_QMIXER_OF(T)                                                            \
    template std::int64_t qmixer_saved<T>(const QMixerShape&, std::int64_t);           \
    template void qmixer_forward_cpu(const QMixerInputs<T>&, T*, T*, int);             \
    template void qmixer_backward_cpu(const QMixerInputs<T>&, const T*, Rows<const T>, \
                                      const QMixerLayers<T>&, T*, int);                \
    template double qmixer_loss_cpu(const QMixerInputs<T>&, const SquaredError<T>&,    \
                                    const QMixerLayers<T>&, T*, int);                  \
    template std::int64_t qmixer_td_target_cpu(const QMixerInputs<T>&, const TdTarget<T>&, int);
PYQMIX_QMIXER_OF(float)
PYQMIX_QMIXER_OF(double)

}  // namespace pyqmix
