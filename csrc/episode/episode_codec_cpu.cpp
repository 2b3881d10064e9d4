#include "episode/episode_codec_cpu.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace pyqmix::PYQMIX_SIMD_NAMESPACE {
namespace {

// Without a branch for each value, so that it vectorises; a lossy value is searched for afterwards.
template <typename Out>
std::int64_t narrow(const float* from, std::int64_t count, Out* to) {
    constexpr float kLow = std::numeric_limits<Out>::min(), kHigh = std::numeric_limits<Out>::max();
    std::int32_t lossy = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        const float clamped = from[i] > kLow ? std::min(from[i], kHigh) : kLow;  // NaN too
        const auto whole = static_cast<std::int32_t>(clamped);
        to[i] = static_cast<Out>(whole);
        lossy |= static_cast<std::int32_t>(static_cast<float>(whole) != from[i]);
    }
    if (!lossy) return -1;
    std::int64_t i = 0;
    while (static_cast<float>(to[i]) == from[i]) ++i;
    return i;
}

template <typename In, typename Out>
void widen(const In* from, std::int64_t count, Out* to) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<Out>(from[i]);
}

using Eight = std::array<std::uint8_t, 8>;

constexpr std::array<Eight, 256> flags_of_bytes() {
    std::array<Eight, 256> all{};
    for (unsigned byte = 0; byte < 256; ++byte)
        for (unsigned bit = 0; bit < 8; ++bit)
            all[byte][bit] = static_cast<std::uint8_t>((byte >> bit) & 1u);
    return all;
}
constexpr std::array<Eight, 256> kFlags = flags_of_bytes();

std::byte pack_eight(const bool* from, std::int64_t count) {
    unsigned bits = 0;
    for (std::int64_t j = 0; j < count; ++j) bits |= unsigned{from[j]} << j;
    return static_cast<std::byte>(bits);
}

const Eight& flags_of(std::byte byte) { return kFlags[static_cast<unsigned>(byte)]; }

}  // namespace

std::int64_t find_not_finite(const float* values, std::int64_t count) {
    constexpr std::uint32_t kExponent = 0x7f800000;
    const auto not_finite = [&](std::int64_t i) {
        std::uint32_t bits;
        std::memcpy(&bits, values + i, sizeof bits);
        return (bits & kExponent) == kExponent;
    };
    std::int32_t any = 0;
    for (std::int64_t i = 0; i < count; ++i) any |= static_cast<std::int32_t>(not_finite(i));
    if (!any) return -1;
    std::int64_t i = 0;
    while (!not_finite(i)) ++i;
    return i;
}

std::int64_t encode(Storage type, const float* from, std::int64_t count, std::byte* to) {
    switch (type) {
        case Storage::int8:
            return narrow(from, count, reinterpret_cast<std::int8_t*>(to));
        case Storage::uint8:
            return narrow(from, count, reinterpret_cast<std::uint8_t*>(to));
        case Storage::int16:
            return narrow(from, count, reinterpret_cast<std::int16_t*>(to));
        default:
            std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
            return find_not_finite(from, count);
    }
}

void decode(Storage type, const std::byte* from, std::int64_t count, float* to) {
    switch (type) {
        case Storage::int8:
            return widen(reinterpret_cast<const std::int8_t*>(from), count, to);
        case Storage::uint8:
            return widen(reinterpret_cast<const std::uint8_t*>(from), count, to);
        case Storage::int16:
            return widen(reinterpret_cast<const std::int16_t*>(from), count, to);
        default:
            std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
    }
}

void pack_flags(const bool* from, std::int64_t rows, std::int64_t width, std::byte* to) {
    for (std::int64_t row = 0; row < rows; ++row, from += width)
        for (std::int64_t i = 0; i < width; i += 8)
            *to++ = pack_eight(from + i, std::min<std::int64_t>(8, width - i));
}

void unpack_flags(const std::byte* from, std::int64_t rows, std::int64_t width, bool* to) {
    const std::int64_t bytes = (width + 7) / 8;
    if (bytes == 1) {
        // Writes eight flags at a time where the next row overwrites the surplus, and the exact
        // number at the end.
        const std::int64_t room = rows * width - 8;
        std::int64_t row = 0;
        for (; row * width <= room; ++row) std::memcpy(to + row * width, &flags_of(from[row]), 8);
        for (; row < rows; ++row)
            std::memcpy(to + row * width, &flags_of(from[row]), static_cast<std::size_t>(width));
        return;
    }
    for (std::int64_t row = 0; row < rows; ++row, to += width)
        for (std::int64_t i = 0; i < width; i += 8)
            std::memcpy(to + i, &flags_of(*from++),
                        static_cast<std::size_t>(std::min<std::int64_t>(8, width - i)));
}

void decode_actions(std::int64_t bytes_each, const std::byte* from, std::int64_t count,
                    std::int64_t* to) {
    if (bytes_each == 1) return widen(reinterpret_cast<const std::uint8_t*>(from), count, to);
    widen(reinterpret_cast<const std::uint16_t*>(from), count, to);
}

void decode_bools(const std::byte* from, std::int64_t count, bool* to) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i] != std::byte{0};
}

}  // namespace pyqmix::PYQMIX_SIMD_NAMESPACE
