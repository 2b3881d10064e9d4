// The layout of the tiles, the packed weights and the saved activations of one mixing network.
// Widths are padded with zeros to whole panels.
#pragma once

#include <cstdint>

#include "base/workspace.h"
#include "gemm/panels.h"
#include "ops/qmixer/qmixer.h"

namespace pyqmix {

inline constexpr std::int64_t kQMixerTileRows = 128;

// Columns of the first product's output z: columns with a ReLU come first.
//     two layers:  hidden_1 | hidden_f | hidden_v | b1
//     one layer:   hidden_v | b1 | w1 | w_final
template <typename T>
struct QMixerPlan {
    explicit QMixerPlan(const QMixerShape& shape)
        : n(shape.n_agents),
          state_dim(shape.state_dim),
          embed(shape.embed_dim),
          hyper(shape.hypernet_dim),
          two_layers(hyper > 0),
          hidden_width(padded<T>(hyper)),
          embed_width(padded<T>(embed)),
          w1_width(padded<T>(n * embed)),
          hidden_f(hidden_width),
          hidden_v(two_layers ? 2 * hidden_width : 0),
          b1(hidden_v + embed_width),
          w1(b1 + embed_width),
          w_final(w1 + w1_width),
          relu_width(b1),
          width(two_layers ? w1 : w_final + embed_width) {}

    std::int64_t n, state_dim, embed, hyper;
    bool two_layers;
    std::int64_t hidden_width, embed_width, w1_width;
    std::int64_t hidden_f, hidden_v, b1, w1, w_final;  // first columns; hidden_1 begins at 0
    std::int64_t relu_width, width;

    // The size of the activations of `rows` rows: z, and with two layers w1 and w_final.
    std::int64_t activations(std::int64_t rows) const {
        return rows * (width + (two_layers ? w1_width + embed_width : 0));
    }
};

// Activations of consecutive rows.
template <typename T>
struct Activations {
    Rows<T> z, w1, w_final;

    Activations(const QMixerPlan<T>& plan, T* memory, std::int64_t rows) {
        z = {memory, plan.width};
        w1 = {memory + plan.w1, plan.width};
        w_final = {memory + plan.w_final, plan.width};
        if (plan.two_layers) {
            w1 = {memory + rows * plan.width, plan.w1_width};
            w_final = {w1.data + rows * plan.w1_width, plan.embed_width};
        }
    }
    Activations from(std::int64_t row) const {
        Activations out = *this;
        out.z.data = z[row];
        out.w1.data = w1[row];
        out.w_final.data = w_final[row];
        return out;
    }
    Rows<T> at(std::int64_t column) const { return {z.data + column, z.stride}; }
};

// Weights as the products read them, repacked at each call, because each update changes them.
template <typename T>
struct QMixerWeights {
    Panels<T> first, w1_out, w_final_out;  // (S, width), (H, n * E), (H, E)
    Panels<T> w1_back, w_final_back;       // (n * E, H), (E, H): for the backward
    T *first_bias = nullptr, *w1_bias = nullptr, *w_final_bias = nullptr;
    const T* v_out = nullptr;
    T v_bias = T(0);

    QMixerWeights(const QMixerPlan<T>& plan, const QMixerLayers<const T>& layers, bool backward);

   private:
    Workspace memory_;
};

// Sums of gradients over rows, as the products leave them.
template <typename T>
struct QMixerSums {
    Rows<T> first, w1_out, w_final_out;  // (S, width), (H, w1_width), (H, embed_width)
    double *first_bias, *w1_bias, *w_final_bias, *v_out, *v_bias;

    explicit QMixerSums(const QMixerPlan<T>& plan);

    // All of them, padding included.
    template <typename Sum>
    struct All {
        Sum* data;
        std::int64_t count;
    };
    All<T> products() const { return {static_cast<T*>(products_.data()), product_count_}; }
    All<double> vectors() const { return {static_cast<double*>(vectors_.data()), vector_count_}; }

   private:
    Workspace products_, vectors_;
    std::int64_t product_count_, vector_count_;
};

}  // namespace pyqmix
