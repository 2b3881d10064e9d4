// Encodes values as a slot stores them, in narrow types that hold them exactly, and decodes them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pyqmix {

enum class Storage : std::uint8_t { int8, uint8, int16, float32 };

inline constexpr std::int64_t kStorages = 4;

inline std::int64_t size_of(Storage type) {
    switch (type) {
        case Storage::int8:
        case Storage::uint8:
            return 1;
        case Storage::int16:
            return 2;
        default:
            return 4;
    }
}

inline const char* storage_name(Storage type) {
    static constexpr const char* kNames[] = {"int8", "uint8", "int16", "float32"};
    return kNames[static_cast<int>(type)];
}

// Writes `count` floats in a storage type. Returns the index of the first value that it cannot hold
// exactly, or that is not finite; or -1.
std::int64_t encode(Storage type, const float* from, std::int64_t count, std::byte* to);
void decode(Storage type, const std::byte* from, std::int64_t count, float* to);

// The index of the first value that is not finite, or -1.
std::int64_t find_not_finite(const float* values, std::int64_t count);

// Rows of `width` flags, each row in bits of its own whole bytes, the first flag in the lowest bit.
void pack_flags(const bool* from, std::int64_t rows, std::int64_t width, std::byte* to);
void unpack_flags(const std::byte* from, std::int64_t rows, std::int64_t width, bool* to);

// Actions of one or two bytes each.
void decode_actions(std::int64_t bytes_each, const std::byte* from, std::int64_t count,
                    std::int64_t* to);
// Bytes to flags; every byte but zero is true.
void decode_bools(const std::byte* from, std::int64_t count, bool* to);

}  // namespace pyqmix
