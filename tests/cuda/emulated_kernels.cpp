// Runs the CUDA kernels under the emulation, beside the CPU's kernels in double:
//
//     emulated_kernels SEED CASES      prints how much was compared; exits 1 at the first
//     difference
//
// Every tensor has a block of its own, so that AddressSanitizer sees an access beyond its end; what
// lies between strided rows must stay as it was.
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "ops/adam/adam_cuda.h"
#include "ops/episodes/pad.h"
#include "ops/linear/bias_relu.h"
#include "ops/mix/mix.h"
#include "ops/td_target/td_target.h"

namespace pyqmix {
namespace {

constexpr double kUntouched = 12345;
std::mt19937_64 random_bits;
long compared = 0;

long pick(std::initializer_list<long> from) { return from.begin()[random_bits() % from.size()]; }
bool chance(double p) { return double(random_bits() >> 11) * 0x1p-53 < p; }

[[noreturn]] void fail(const std::string& what) {
    std::printf("FAILED: %s\n", what.c_str());
    std::exit(1);
}

// (rows, width), its rows `stride` apart and the first `offset` elements into the block.
template <typename T>
struct Tensor {
    long rows, width, stride, offset;
    std::vector<T> block;

    Tensor(long rows, long width, long gap, long offset)
        : rows(rows),
          width(width),
          stride(width + gap),
          offset(offset),
          block(rows ? std::size_t(offset + (rows - 1) * stride + width) : 0, fill()) {
        block.shrink_to_fit();
    }
    static T fill() {
        if constexpr (std::is_same_v<T, std::uint8_t>)
            return 2;
        else
            return narrow<T>(Compute<T>(kUntouched));
    }
    T& at(long row, long column) { return block[std::size_t(offset + row * stride + column)]; }
    Rows<T> view() { return {block.data() + (rows ? offset : 0), stride}; }
    Rows<const T> read() const { return {block.data() + (rows ? offset : 0), stride}; }

    template <typename Draw>
    void draw(const Draw& value) {
        for (long r = 0; r < rows; ++r)
            for (long c = 0; c < width; ++c) at(r, c) = narrow<T>(Compute<T>(value()));
    }
    Tensor<double> doubled() {
        Tensor<double> twin(rows, width, 0, 0);
        for (long r = 0; r < rows; ++r)
            for (long c = 0; c < width; ++c) twin.at(r, c) = widen(at(r, c));
        return twin;
    }
    bool keeps_gaps() {
        std::vector<bool> written(block.size());
        for (long r = 0; r < rows; ++r)
            for (long c = 0; c < width; ++c) written[std::size_t(offset + r * stride + c)] = true;
        for (std::size_t i = 0; i < block.size(); ++i)
            if (!written[i] && double(widen(block[i])) != double(widen(fill()))) return false;
        return true;
    }
};

double uniform() { return double(random_bits() >> 11) * 0x1p-52 - 1; }

// Mostly ordinary values, sometimes the kinks and what propagates.
double value(bool odd) {
    if (odd && chance(0.02))
        return std::vector<double>{0, -0.0, NAN, INFINITY, -INFINITY}[random_bits() % 5];
    return uniform();
}

struct Shape {
    long rows, n, embed, actions, gap, offset;

    std::string text(const char* type) const {
        return std::string(type) + " rows " + std::to_string(rows) + ", n " + std::to_string(n) +
               ", E " + std::to_string(embed) + ", A " + std::to_string(actions) + ", gap " +
               std::to_string(gap) + ", offset " + std::to_string(offset);
    }
};

template <typename T>
const char* name_of() {
    return std::is_same_v<T, float> ? "float" : std::is_same_v<T, double> ? "double" : "bfloat16";
}

// Relative to the tensor's largest value what sums may lose, and to the value itself what storing
// does.
template <typename T>
void compare(const std::string& what, Tensor<T>& ours, Tensor<double>& truth) {
    double largest = 1;
    for (const double x : truth.block)
        if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
    const double of_sums = (std::is_same_v<T, double> ? 1e-14 : 2e-6) * largest;
    const double of_value = std::is_same_v<T, BFloat16> ? 0x1p-8 : 0;
    for (long r = 0; r < ours.rows; ++r)
        for (long c = 0; c < ours.width; ++c) {
            const double a = widen(ours.at(r, c)), b = truth.at(r, c);
            const bool same = std::isfinite(b) ? std::abs(a - b) <= of_sums + of_value * std::abs(b)
                                               : (std::isnan(b) ? std::isnan(a) : a == b);
            if (!same)
                fail(what + ": at (" + std::to_string(r) + ", " + std::to_string(c) +
                     ") expected " + std::to_string(b) + ", got " + std::to_string(a));
            ++compared;
        }
    if (!ours.keeps_gaps()) fail(what + ": wrote between its rows");
}

template <typename T>
struct Mixer {
    Tensor<T> agent_qs, w1, b1, w_final, v;

    Mixer(const Shape& s)
        : agent_qs(s.rows, s.n, s.gap, s.offset),
          w1(s.rows, s.n * s.embed, s.gap, s.offset),
          b1(s.rows, s.embed, s.gap, s.offset),
          w_final(s.rows, s.embed, s.gap, s.offset),
          v(s.rows, 1, s.gap, s.offset) {}

    template <typename Visit>
    void for_each(const Visit& visit) {
        visit("agent_qs", agent_qs);
        visit("w1", w1);
        visit("b1", b1);
        visit("w_final", w_final);
        visit("v", v);
    }
    MixInputs<T> inputs(const Shape& s) const {
        return {s.rows,    s.n,       s.embed,        agent_qs.read(),
                w1.read(), b1.read(), w_final.read(), v.read()};
    }
    MixBackward<T> backward(const Shape& s, const Mixer& in, const Tensor<T>& grad) {
        return {in.inputs(s), grad.read(),    agent_qs.view(), w1.view(),
                b1.view(),    w_final.view(), v.view()};
    }
    Mixer<double> doubled(const Shape& s) {
        Mixer<double> twin(s);
        twin.agent_qs = agent_qs.doubled(), twin.w1 = w1.doubled(), twin.b1 = b1.doubled();
        twin.w_final = w_final.doubled(), twin.v = v.doubled();
        return twin;
    }
};

template <typename T>
bool same_bits(const Tensor<T>& a, const Tensor<T>& b) {
    return a.block.empty() ||
           std::memcmp(a.block.data(), b.block.data(), a.block.size() * sizeof(T)) == 0;
}

template <typename T>
void check_mixer(const Shape& s, bool odd) {
    const std::string what = s.text(name_of<T>());
    Mixer<T> in(s);
    in.for_each([&](const char*, auto& x) { x.draw([&] { return value(odd); }); });
    Tensor<T> grad(s.rows, 1, s.gap, s.offset), q_tot(s.rows, 1, 0, 0);
    grad.draw([&] { return value(odd); });
    const Shape plain{s.rows, s.n, s.embed, s.actions, 0, 0};
    Mixer<double> truth_in = in.doubled(plain), truth_grads(plain);
    Tensor<double> truth_grad = grad.doubled(), truth(s.rows, 1, 0, 0);
    mix_forward_cpu(MixForward<double>{truth_in.inputs(plain), truth.block.data()}, 1);
    mix_backward_cpu(truth_grads.backward(plain, truth_in, truth_grad), 1);

    mix_forward_cuda(MixForward<T>{in.inputs(s), q_tot.block.data()}, nullptr);
    compare("q_tot, " + what, q_tot, truth);
    Mixer<T> grads(s), again(s);
    mix_backward_cuda(grads.backward(s, in, grad), nullptr);
    compare("grad of agent_qs, " + what, grads.agent_qs, truth_grads.agent_qs);
    compare("grad of w1, " + what, grads.w1, truth_grads.w1);
    compare("grad of b1, " + what, grads.b1, truth_grads.b1);
    compare("grad of w_final, " + what, grads.w_final, truth_grads.w_final);
    compare("grad of v, " + what, grads.v, truth_grads.v);
    emulation::seed += 1;  // lanes run in another order
    mix_backward_cuda(again.backward(s, in, grad), nullptr);
    if (!same_bits(grads.agent_qs, again.agent_qs) || !same_bits(grads.w1, again.w1))
        fail("two runs differ, " + what);
}

template <typename T>
void check_target(const Shape& s, bool odd, bool double_q, bool lacking) {
    const std::string what = s.text(name_of<T>());
    const double gamma = 0.97;
    const long width = s.n * s.actions;
    Mixer<T> mixer(s);
    mixer.for_each([&](const char*, auto& x) { x.draw([&] { return value(odd); }); });
    Tensor<T> next_qs(s.rows, width, s.gap, s.offset), online = next_qs;
    Tensor<T> rewards(s.rows, 1, s.gap, s.offset), y(s.rows, 1, 0, 0), chosen(s.rows, s.n, 0, 0);
    Tensor<std::uint8_t> avail(s.rows, width, s.gap, s.offset), ended(s.rows, 1, s.gap, s.offset);
    // Few different values, so that there are ties, which online values of double-Q decide visibly.
    next_qs.draw([&] { return odd ? value(true) : uniform(); });
    online.draw([&] { return odd && chance(0.1) ? value(true) : double(pick({-2, -1, 0, 1, 2})); });
    rewards.draw(uniform);
    std::int64_t first_missing = kAllAvailable;
    std::vector<bool> lacks(std::size_t(s.rows));
    for (long r = 0; r < s.rows; ++r) {
        ended.at(r, 0) = chance(0.2);
        for (long i = 0; i < s.n; ++i) {
            const bool none = ended.at(r, 0) || (lacking && chance(0.1));
            for (long a = 0; a < s.actions; ++a)
                avail.at(r, i * s.actions + a) = !none && chance(0.5);
            if (!none)
                avail.at(r, i * s.actions + long(random_bits() % (unsigned long)(s.actions))) = 1;
            if (none && !ended.at(r, 0)) {
                if (first_missing == kAllAvailable) first_missing = r * s.n + i;
                lacks[std::size_t(r)] = true;
            }
        }
        if (!ended.at(r, 0)) continue;  // what must not be read
        for (long c = 0; c < width; ++c)
            next_qs.at(r, c) = online.at(r, c) = narrow<T>(Compute<T>(NAN));
        for (long c = 0; c < s.embed; ++c) mixer.b1.at(r, c) = narrow<T>(Compute<T>(NAN));
    }
    const Shape plain{s.rows, s.n, s.embed, s.actions, 0, 0};
    Mixer<double> truth_mixer = mixer.doubled(plain);
    Tensor<double> truth_qs = next_qs.doubled(), truth_online = online.doubled();
    Tensor<double> truth_rewards = rewards.doubled(), truth(s.rows, 1, 0, 0),
                   scratch(s.rows, s.n, 0, 0);
    Tensor<std::uint8_t> truth_avail(s.rows, width, 0, 0), truth_ended(s.rows, 1, 0, 0);
    for (long r = 0; r < s.rows; ++r) {
        for (long c = 0; c < width; ++c) truth_avail.at(r, c) = avail.at(r, c);
        truth_ended.at(r, 0) = ended.at(r, 0) || lacks[std::size_t(r)];
    }
    Rows<const double> no_online;
    td_target_cpu(TdTarget<double>{truth_mixer.inputs(plain), s.actions, truth_qs.read(),
                                   double_q ? truth_online.read() : no_online, truth_avail.read(),
                                   truth_rewards.read(), truth_ended.read(), Compute<T>(gamma),
                                   scratch.block.data(), truth.block.data()},
                  1);
    for (long r = 0; r < s.rows; ++r)
        if (lacks[std::size_t(r)]) truth.at(r, 0) = NAN;

    static MissingAction missing;
    Rows<const T> none;
    td_target_cuda(
        TdTarget<T>{mixer.inputs(s), s.actions, next_qs.read(), double_q ? online.read() : none,
                    avail.read(), rewards.read(), ended.read(), Compute<T>(gamma),
                    chosen.block.data(), y.block.data()},
        missing, nullptr);
    const std::int64_t found = missing.take();
    if (found != first_missing)
        fail("missing action, " + what + ": expected " + std::to_string(first_missing) + ", got " +
             std::to_string(found));
    if (missing.take() != kAllAvailable) fail("missing action, " + what + ": noted twice");
    compare("y, " + what, y, truth);
}

// A layer's surroundings beside loops in double: bias and ReLU, mask and the bias's gradient.
template <typename T>
void check_bias_relu(const Shape& s, bool odd, long relu) {
    const std::string what = s.text(name_of<T>()) + ", ReLU " + std::to_string(relu);
    const long width = s.embed;
    Tensor<T> values(s.rows, width, s.gap, s.offset), grad(s.rows, width, s.gap, s.offset);
    Tensor<T> bias(1, width, 0, s.offset), masked(s.rows, width, s.gap, s.offset);
    values.draw([&] { return value(odd); });
    bias.draw(uniform);
    grad.draw([&] { return value(odd); });
    Tensor<double> truth = values.doubled(), truth_bias = bias.doubled();
    for (long r = 0; r < s.rows; ++r)
        for (long c = 0; c < width; ++c) {
            double& x = truth.at(r, c);
            x += truth_bias.at(0, c);
            if (c < relu && x < 0) x = 0;
        }
    bias_relu_cuda(BiasRelu<T>{s.rows, width, values.view(), bias.read()[0], relu}, nullptr);
    compare("outputs, " + what, values, truth);

    Tensor<double> truth_grad = grad.doubled(), truth_sums(1, width, 0, 0);
    for (double& x : truth_sums.block) x = 0;
    for (long r = 0; r < s.rows; ++r)
        for (long c = 0; c < width; ++c) {
            if (c < relu && widen(values.at(r, c)) <= 0) truth_grad.at(r, c) = 0;
            truth_sums.at(0, c) += truth_grad.at(r, c);
        }
    BiasReluBackward<T> back;
    back.rows = s.rows, back.width = width, back.grad = grad.read();
    if (relu) back.outputs = values.read(), back.masked = masked.view(), back.relu = relu;
    back.parts = bias_relu_parts(s.rows, width);
    Tensor<T> sums(back.parts, width, 0, 0), grad_bias(1, width, 0, 0), again(1, width, 0, 0);
    back.sums = sums.block.data(), back.grad_bias = grad_bias.block.data();
    bias_relu_backward_cuda(back, nullptr);
    if (relu) compare("masked gradient, " + what, masked, truth_grad);
    compare("gradient of the bias, " + what, grad_bias, truth_sums);
    back.grad_bias = again.block.data();
    emulation::seed += 1;
    bias_relu_backward_cuda(back, nullptr);
    if (!same_bits(grad_bias, again)) fail("two runs differ, " + what);
}

template <typename T>
void check_adam(long size, double max_norm) {
    const std::string what = std::string(name_of<T>()) + ", size " + std::to_string(size);
    Tensor<T> blocks[4] = {{1, size, 0, 0}, {1, size, 0, 0}, {1, size, 0, 0}, {1, size, 0, 0}};
    for (Tensor<T>& block : blocks) block.draw(uniform);
    blocks[3].draw([] { return std::abs(uniform()); });
    Tensor<double> truth[4] = {blocks[0].doubled(), blocks[1].doubled(), blocks[2].doubled(),
                               blocks[3].doubled()};
    const float step = 3, lr = 0.01f;
    Tensor<T> scratch(1, kAdamParts + 2, 0, 0), norm(1, 1, 0, 0);
    adam_cuda(AdamStepCuda<T>{size, blocks[0].block.data(), blocks[1].block.data(),
                              blocks[2].block.data(), blocks[3].block.data(), &step, &lr, 0.8, 0.95,
                              1e-3, max_norm, scratch.block.data(), norm.block.data()},
              nullptr);
    Tensor<double> truth_norm(1, 1, 0, 0);
    double squares = 0;
    for (const double g : truth[1].block) squares += g * g;
    truth_norm.at(0, 0) = std::sqrt(squares);
    const double scale = std::min(1.0, max_norm / (std::sqrt(squares) + 1e-6));
    for (long i = 0; i < size; ++i) {
        double &p = truth[0].at(0, i), &g = truth[1].at(0, i), &m = truth[2].at(0, i),
               &v = truth[3].at(0, i);
        g *= scale;
        m += 0.2 * (g - m);
        v += 0.05 * (g * g - v);
        p -= double(lr) / (1 - std::pow(0.8, 3)) * m /
             (std::sqrt(v) / std::sqrt(1 - std::pow(0.95, 3)) + 1e-3);
    }
    compare("norm, " + what, norm, truth_norm);
    const char* names[] = {"parameters, ", "gradient, ", "exp_avg, ", "exp_avg_sq, "};
    for (int k = 0; k < 4; ++k) compare(names[k] + what, blocks[k], truth[k]);
}

// Columns of every kind: rows of words and of bytes, from a later time, and of flags alone.
void check_pad(long episodes, long times) {
    std::vector<std::int64_t> lengths(static_cast<std::size_t>(episodes));
    for (std::int64_t& length : lengths) length = 1 + std::int64_t(random_bits() % times);
    struct Kind {
        long bytes, times, first, reach;
    };
    const Kind kinds[] = {{12, times + 1, 0, 1}, {7, times, 1, 0}, {8, times, 0, 0},
                          {1, times, 0, 0},      {0, times, 0, 0}, {200, times + 1, 0, 1}};
    PaddedEpisodes args{episodes, times + 1, lengths.data(), 0, {}};
    std::vector<std::vector<std::uint8_t>> from, to;
    for (const Kind& kind : kinds) {
        const long room = times + 1 + long(random_bits() % 3);
        from.emplace_back(std::size_t(episodes * room * kind.bytes));
        for (std::uint8_t& x : from.back()) x = std::uint8_t(1 + random_bits() % 255);
        const long width = kind.bytes ? kind.bytes : 1;
        to.emplace_back(std::size_t(episodes * kind.times * width), std::uint8_t(77));
        args.column[args.columns++] = {kind.bytes ? from.back().data() : nullptr,
                                       to.back().data(),
                                       room * kind.bytes,
                                       width,
                                       kind.times,
                                       kind.first,
                                       kind.reach};
    }
    pad_episodes_cuda(args, nullptr);
    for (int k = 0; k < args.columns; ++k) {
        const PaddedColumn& column = args.column[k];
        for (long t = 0; t < column.times; ++t)
            for (long e = 0; e < episodes; ++e)
                for (long i = 0; i < column.bytes; ++i) {
                    const bool kept = t < lengths[std::size_t(e)] + column.reach;
                    const long at =
                        e * column.episode_bytes + (t + column.first) * column.bytes + i;
                    const int truth = !kept          ? 0
                                      : !column.from ? 1
                                                     : from[std::size_t(k)][std::size_t(at)];
                    const long place = (t * episodes + e) * column.bytes + i;
                    if (to[std::size_t(k)][std::size_t(place)] != truth)
                        fail("padded column " + std::to_string(k) + ", time " + std::to_string(t));
                    ++compared;
                }
    }
}

void check_errors() {
    Mixer<float> in({3, 2, 4, 1, 0, 0});
    std::vector<float> q_tot(3);
    emulation::failing_launches = 1;
    try {
        mix_forward_cuda(MixForward<float>{in.inputs({3, 2, 4, 1, 0, 0}), q_tot.data()}, nullptr);
        fail("a launch that failed was not noticed");
    } catch (const std::runtime_error& error) {
        if (std::string(error.what()) != "mix_forward_cuda: invalid configuration argument")
            fail(std::string("a failed launch says: ") + error.what());
    }
    if (cudaGetLastError() != cudaSuccess) fail("a failed launch leaves its error behind");
}

template <typename T>
void check_shape(const Shape& shape, bool odd) {
    if constexpr (!std::is_same_v<T, BFloat16>) {
        check_bias_relu<T>(shape, odd, pick({0, shape.embed, shape.embed, shape.embed / 2}));
        check_adam<T>(pick({1, 31, 128, 129, 1000}), pick({0, 1}) ? 1e9 : 0.5);
    }
    check_mixer<T>(shape, odd);
    check_target<T>(shape, odd, chance(0.5), chance(0.3));
}

void run(unsigned long long seed, long cases) {
    random_bits.seed(seed);
    check_errors();
    for (long k = 0; k < cases; ++k) {
        const Shape shape{pick({0, 1, 2, 5, 7, 33, 40}),
                          pick({1, 2, 3, 4, 5, 8, 9, 11}),
                          pick({1, 2, 3, 4, 7, 8, 15, 16, 24, 31, 32, 32, 32, 33, 40, 64, 72}),
                          pick({1, 2, 5, 6, 8, 31, 36}),
                          pick({0, 0, 1, 8, 16}),
                          pick({0, 0, 0, 1, 8})};
        emulation::seed = random_bits();
        emulation::largest_grid = unsigned(pick({1, 2, 1000}));
        check_pad(pick({1, 2, 5}), pick({1, 3, 8}));
        const bool odd = chance(0.3);
        const int type = int(k % 3);
        type == 0   ? check_shape<float>(shape, odd)
        : type == 1 ? check_shape<double>(shape, odd)
                    : check_shape<BFloat16>(shape, odd);
    }
    // More units than a warp holds at once, and more agents than lanes.
    for (const Shape& wide :
         {Shape{3, 5, 160, 3, 0, 0}, Shape{2, 34, 132, 2, 0, 0}, Shape{2, 33, 65, 2, 1, 1},
          Shape{9, 27, 32, 5, 0, 0}, Shape{2, 35, 264, 2, 8, 0}}) {
        check_shape<float>(wide, false);
        check_shape<double>(wide, false);
        check_shape<BFloat16>(wide, false);
    }
    std::printf("%ld cases, %ld values as the CPU has them\n", cases + 15, compared);
}

}  // namespace
}  // namespace pyqmix

int main(int, char** arguments) {
    pyqmix::run(std::strtoull(arguments[1], nullptr, 10), std::atol(arguments[2]));
}
