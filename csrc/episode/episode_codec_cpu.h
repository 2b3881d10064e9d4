// The codec at one SIMD level. episode_codec_cpu.cpp is compiled once for each level, with
// PYQMIX_SIMD_NAMESPACE naming it; episode_codec.cpp chooses among them.
#pragma once

#include "episode/episode_codec.h"

#define PYQMIX_DECLARE_CODEC_LEVEL(level)                                                      \
    namespace pyqmix::level {                                                                  \
    std::int64_t find_not_finite(const float* values, std::int64_t count);                     \
    std::int64_t encode(Storage type, const float* from, std::int64_t count, std::byte* to);   \
    void decode(Storage type, const std::byte* from, std::int64_t count, float* to);           \
    void pack_flags(const bool* from, std::int64_t rows, std::int64_t width, std::byte* to);   \
    void unpack_flags(const std::byte* from, std::int64_t rows, std::int64_t width, bool* to); \
    void decode_actions(std::int64_t bytes_each, const std::byte* from, std::int64_t count,    \
                        std::int64_t* to);                                                     \
    void decode_bools(const std::byte* from, std::int64_t count, bool* to);                    \
    }

PYQMIX_DECLARE_CODEC_LEVEL(baseline)
PYQMIX_DECLARE_CODEC_LEVEL(avx2)
PYQMIX_DECLARE_CODEC_LEVEL(avx512)
