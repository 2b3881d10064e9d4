#include "episode/episode_codec.h"

#include "base/simd_dispatch.h"
#include "episode/episode_codec_cpu.h"

namespace pyqmix {

std::int64_t find_not_finite(const float* values, std::int64_t count) {
    return PYQMIX_AT_SIMD_LEVEL(find_not_finite, values, count);
}

std::int64_t encode(Storage type, const float* from, std::int64_t count, std::byte* to) {
    return PYQMIX_AT_SIMD_LEVEL(encode, type, from, count, to);
}
void decode(Storage type, const std::byte* from, std::int64_t count, float* to) {
    PYQMIX_AT_SIMD_LEVEL(decode, type, from, count, to);
}
void pack_flags(const bool* from, std::int64_t rows, std::int64_t width, std::byte* to) {
    PYQMIX_AT_SIMD_LEVEL(pack_flags, from, rows, width, to);
}
void unpack_flags(const std::byte* from, std::int64_t rows, std::int64_t width, bool* to) {
    PYQMIX_AT_SIMD_LEVEL(unpack_flags, from, rows, width, to);
}
void decode_actions(std::int64_t bytes_each, const std::byte* from, std::int64_t count,
                    std::int64_t* to) {
    PYQMIX_AT_SIMD_LEVEL(decode_actions, bytes_each, from, count, to);
}
void decode_bools(const std::byte* from, std::int64_t count, bool* to) {
    PYQMIX_AT_SIMD_LEVEL(decode_bools, from, count, to);
}

}  // namespace pyqmix
