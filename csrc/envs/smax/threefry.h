// JAX's random numbers: threefry-2x32 (Salmon et al., SC 2011) with "partitionable" splitting.
#pragma once

#include <bit>
#include <cstdint>

#include "envs/smax/own_code.h"

namespace pyqmix::threefry {

// A word is a std::uint32_t, or a vector of them, whose lanes are keys of their own.
template <typename Word>
struct KeyOf {
    Word high{}, low{};

    bool operator==(const KeyOf&) const = default;
};
using Key = KeyOf<std::uint32_t>;

// The 20 rounds on the counter (high, low).
template <typename Word>
PYQMIX_OWN_CODE KeyOf<Word> encrypt(KeyOf<Word> key, Word high, Word low) {
    constexpr int kRotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
    const Word keys[3] = {key.high, key.low, key.high ^ key.low ^ 0x1bd11bdau};
    Word x = high + keys[0], y = low + keys[1];
    for (unsigned group = 0; group < 5; ++group) {
        for (const int rotation : kRotations[group % 2]) {
            x += y;
            y = (y << rotation | y >> (32 - rotation)) ^ x;
        }
        x += keys[(group + 1) % 3];
        y += keys[(group + 2) % 3] + group + 1;
    }
    return {x, y};
}

// jax.random.split(key, n)[index], whatever n is.
PYQMIX_OWN_CODE Key split(Key key, std::uint32_t index) { return encrypt(key, 0u, index); }

// Element `index` of jax.random.bits(key, shape, uint32), flattened.
PYQMIX_OWN_CODE std::uint32_t bits(Key key, std::uint32_t index = 0) {
    const Key block = encrypt(key, 0u, index);
    return block.high ^ block.low;
}

// Element `index` of jax.random.uniform(key, shape) in [0, 1): 23 random bits.
PYQMIX_OWN_CODE float uniform(Key key, std::uint32_t index = 0) {
    return std::bit_cast<float>(bits(key, index) >> 9 | 0x3f800000u) - 1.0f;
}

// The same in [low, high).
PYQMIX_OWN_CODE float uniform(Key key, std::uint32_t index, float low, float high) {
    const float scaled = uniform(key, index) * (high - low);
    const float value = scaled + low;
    return value > low ? value : low;
}

}  // namespace pyqmix::threefry
