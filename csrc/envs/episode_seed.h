// The seeds of pyqmix/base/seeding.py: what a stream gives depends on (seed, stream, index) alone.
#pragma once

#include <cstdint>

#include "envs/numpy_random.h"

namespace pyqmix {

// The numbers are those of pyqmix.base.seeding.Stream.
enum class Stream : std::uint64_t { environment = 0, exploration = 1, evaluation = 2 };

inline numpy::SeedSequence stream_seeds(std::uint64_t seed, Stream stream, std::uint64_t index) {
    return numpy::SeedSequence(seed, {static_cast<std::uint64_t>(stream), index});
}

// derive_seed(seed, stream, index)
inline std::uint64_t episode_seed(std::uint64_t seed, Stream stream, std::uint64_t index) {
    return stream_seeds(seed, stream, index).state<1>()[0] >> 1;
}

}  // namespace pyqmix
