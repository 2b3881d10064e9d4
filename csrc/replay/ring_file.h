// A ring's episodes in a file, oldest first.
//
//     magic | sizes | episodes | checksum of the episodes | checksum of all before it | episodes...
//
// Each episode is the bytes of its slot, with zeros where it holds nothing; little-endian. Reading
// trusts nothing: lengths and checksums are verified before memory for a single episode is taken,
// and every episode's content is checked before it can be sampled.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "replay/episode_ring.h"

namespace pyqmix {

// The file is no saved ring, or is damaged.
struct RingFileError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct RingFileInfo {
    EpisodeSpec spec;
    std::int64_t capacity = 0, episodes = 0;
    std::uint64_t body_checksum = 0;

    bool operator==(const RingFileInfo&) const = default;
};

struct RingFileHead {
    char magic[8];
    StoredSpec spec;
    std::int64_t episodes;
    std::uint64_t body_checksum, head_checksum;
};
static_assert(sizeof(RingFileHead) == 88);

// Reads a head and checks that it fits a file of `file_bytes` bytes. Throws RingFileError.
RingFileInfo parse_ring_file(const RingFileHead& head, std::int64_t file_bytes);

// Verifies a whole file: head, length and checksums. Throws RingFileError, or std::system_error if
// it cannot be read.
RingFileInfo verify_ring_file(const std::string& path);

// Writes the published episodes of a ring; others may use it meanwhile. `sampler` is the caller's
// id, which holds no batch. Returns how many were written. Throws std::system_error.
std::int64_t save_ring(EpisodeRing& ring, int sampler, const std::string& path);

// Publishes a verified file's episodes into a ring of its spec and at least its capacity. Throws as
// verify_ring_file does, if the file has changed.
void load_ring(EpisodeRing& ring, int writer, const std::string& path, const RingFileInfo& info);

}  // namespace pyqmix
