// CRC-64/XZ (the ECMA-182 polynomial, reflected): it detects every burst of up to 64 flipped bits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pyqmix {

class Checksum {
   public:
    void add(const void* data, std::size_t size) {
        const auto* bytes = static_cast<const unsigned char*>(data);
        for (; size >= 8; bytes += 8, size -= 8) {
            std::uint64_t word;
            std::memcpy(&word, bytes, 8);
            word ^= state_;
            state_ = 0;
            for (unsigned k = 0; k < 8; ++k) state_ ^= kTables[7 - k][(word >> (8 * k)) & 0xff];
        }
        for (; size > 0; ++bytes, --size)
            state_ = kTables[0][(state_ ^ *bytes) & 0xff] ^ (state_ >> 8);
    }
    std::uint64_t value() const { return ~state_; }

   private:
    // Table k: a byte's contribution after k further bytes of zero.
    using Tables = std::array<std::array<std::uint64_t, 256>, 8>;
    static constexpr Tables make_tables() {
        Tables tables{};
        for (std::uint64_t byte = 0; byte < 256; ++byte) {
            std::uint64_t value = byte;
            for (int bit = 0; bit < 8; ++bit)
                value = (value >> 1) ^ (value & 1 ? 0xC96C5795D7870F42u : 0);
            tables[0][byte] = value;
        }
        for (std::size_t k = 1; k < 8; ++k)
            for (std::size_t byte = 0; byte < 256; ++byte) {
                const std::uint64_t before = tables[k - 1][byte];
                tables[k][byte] = tables[0][before & 0xff] ^ (before >> 8);
            }
        return tables;
    }
    static const Tables kTables;

    std::uint64_t state_ = ~std::uint64_t{0};
};

inline constexpr Checksum::Tables Checksum::kTables = Checksum::make_tables();

inline std::uint64_t checksum_of(const void* data, std::size_t size) {
    Checksum checksum;
    checksum.add(data, size);
    return checksum.value();
}

}  // namespace pyqmix
