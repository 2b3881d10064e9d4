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

#include "mixer/mixer.h"
#include "td_target/td_target.h"

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
