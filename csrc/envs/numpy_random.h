// NumPy's random streams, bit for bit: SeedSequence, PCG64, Generator.integers, random and
// permutation, as far as environments and exploration use them.
//
// Sources: M. E. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good
// Algorithms" (PCG XSL RR 128/64) and "Developing a seed_seq Alternative"; D. Lemire,
// arXiv:1805.10941. NumPy does not promise its streams for ever; docs/environments.md names the
// versions that the tests compared.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <initializer_list>
#include <numeric>
#include <span>
#include <utility>

namespace pyqmix::numpy {

// np.random.SeedSequence(entropy, spawn_key=key) with an entropy of at most 64 bits.
class SeedSequence {
   public:
    explicit SeedSequence(std::uint64_t entropy, std::initializer_list<std::uint64_t> key = {}) {
        std::array<std::uint32_t, kPool> words{low(entropy), high(entropy)};
        std::uint32_t constant = 0x43b0d7e5;
        const auto hash = [&constant](std::uint32_t value) {
            value ^= constant;
            constant *= 0x931e8875;
            value *= constant;
            return value ^ (value >> 16);
        };
        for (int i = 0; i < kPool; ++i) pool_[i] = hash(words[i]);
        for (int from = 0; from < kPool; ++from)
            for (int to = 0; to < kPool; ++to)
                if (from != to) pool_[to] = mix(pool_[to], hash(pool_[from]));
        const auto add = [&](std::uint32_t word) {
            for (std::uint32_t& to : pool_) to = mix(to, hash(word));
        };
        for (const std::uint64_t k : key) {
            add(low(k));
            if (high(k) != 0) add(high(k));
        }
    }

    // generate_state(N, np.uint64)
    template <int N>
    std::array<std::uint64_t, N> state() const {
        std::array<std::uint64_t, N> out{};
        std::uint32_t constant = 0x8b51f9dd;
        for (int i = 0; i < 2 * N; ++i) {
            std::uint32_t value = pool_[i % kPool] ^ constant;
            constant *= 0x58f38ded;
            value *= constant;
            value ^= value >> 16;
            out[i / 2] |= std::uint64_t{value} << (i % 2 * 32);
        }
        return out;
    }

   private:
    static constexpr int kPool = 4;
    static std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
    static std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }
    static std::uint32_t mix(std::uint32_t x, std::uint32_t y) {
        const std::uint32_t value = x * 0xca01f9ddu - y * 0x4973f715u;
        return value ^ (value >> 16);
    }

    std::array<std::uint32_t, kPool> pool_{};
};

// np.random.Generator(np.random.PCG64(seeds))
class Generator {
   public:
    Generator() : Generator(SeedSequence(0)) {}
    explicit Generator(const SeedSequence& seeds) {
        const auto words = seeds.state<4>();
        increment_ = wide(words[2], words[3]) << 1 | 1;
        advance();
        state_ += wide(words[0], words[1]);
        advance();
    }

    std::uint64_t next64() {
        advance();
        const auto high = static_cast<std::uint64_t>(state_ >> 64);
        const std::uint64_t folded = high ^ static_cast<std::uint64_t>(state_);
        const auto turn = static_cast<unsigned>(high >> 58);
        return folded >> turn | folded << ((64 - turn) & 63);
    }

    // random(): uniform in [0, 1).
    double random() { return static_cast<double>(next64() >> 11) * 0x1p-53; }

    // integers(low, high), high excluded; high - low below 2^32. A range of one draws nothing.
    std::int64_t integers(std::int64_t low, std::int64_t high) {
        return low + below(static_cast<std::uint32_t>(high - low));
    }

    // permutation(len(out))
    void permutation(std::span<int> out) {
        std::iota(out.begin(), out.end(), 0);
        for (std::size_t i = out.size(); i-- > 1;)
            std::swap(out[i], out[at_most(static_cast<std::uint32_t>(i))]);
    }

   private:
    static unsigned __int128 wide(std::uint64_t high, std::uint64_t low) {
        return static_cast<unsigned __int128>(high) << 64 | low;
    }
    void advance() {
        state_ = state_ * wide(0x2360ed051fc65da4u, 0x4385df649fccf645u) + increment_;
    }
    // Halves of one 64-bit output, low half first; the other is kept for the next call.
    std::uint32_t next32() {
        if (has_half_) {
            has_half_ = false;
            return half_;
        }
        const std::uint64_t both = next64();
        has_half_ = true;
        half_ = static_cast<std::uint32_t>(both >> 32);
        return static_cast<std::uint32_t>(both);
    }
    std::uint32_t below(std::uint32_t bound) {
        if (bound == 1) return 0;
        std::uint64_t product = std::uint64_t{next32()} * bound;
        if (static_cast<std::uint32_t>(product) < bound) {
            const std::uint32_t threshold = (0u - bound) % bound;
            while (static_cast<std::uint32_t>(product) < threshold)
                product = std::uint64_t{next32()} * bound;
        }
        return static_cast<std::uint32_t>(product >> 32);
    }

    // Draws masked bits until the value is at most `most`, as permutation does.
    std::uint32_t at_most(std::uint32_t most) {
        const std::uint32_t mask = std::bit_ceil(most + 1) - 1;
        for (;;)
            if (const std::uint32_t value = next32() & mask; value <= most) return value;
    }

    unsigned __int128 state_ = 0, increment_ = 0;
    std::uint32_t half_ = 0;
    bool has_half_ = false;
};

}  // namespace pyqmix::numpy
