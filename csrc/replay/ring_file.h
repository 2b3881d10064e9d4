// The episodes of a range of a ring's tickets in a file, from which their slots are restored
// exactly.
//
//     head: magic | sizes | first, end of the tickets | episodes | checksums of the body and the
//     head body: the episodes' bytes, oldest ticket first | for each ticket: generation, published
//     or not
//
// A ticket stands for its slot, so no slot can come twice. An episode is the bytes of its slot,
// with zeros where it holds nothing; all is little-endian. A ring is restored from one file of its
// last `capacity` tickets, or from several whose ranges follow one another.
//
// Reading trusts nothing: lengths, ranges and checksums are verified before memory for a single
// episode is taken, and every episode's content is checked before it can be sampled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "replay/episode_ring.h"

namespace pyqmix {

// The file is no saved ring, or is damaged, or does not belong to the ring or the files before it.
struct RingFileError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct RingFileHead {
    char magic[8];
    StoredSpec spec;
    std::uint64_t first, end;  // tickets; a range of at most `capacity`
    std::int64_t episodes;
    std::uint64_t body_checksum, head_checksum;
};
static_assert(std::is_trivially_copyable_v<RingFileHead> && sizeof(RingFileHead) == 104);

// One ticket's slot.
struct SavedSlot {
    std::uint32_t generation, published;
};
static_assert(std::is_trivially_copyable_v<SavedSlot> && sizeof(SavedSlot) == 8);

struct RingFileInfo {
    std::string path;
    EpisodeSpec spec;
    std::int64_t capacity = 0;
    std::uint64_t first = 0, end = 0;
    std::int64_t episodes = 0, bytes = 0;
    std::uint64_t body_checksum = 0;
    std::uint64_t checksum = 0;  // of the head, which holds that of the body
    std::vector<SavedSlot> slots;

    std::int64_t tickets() const { return static_cast<std::int64_t>(end - first); }
    // Where the slots of the ring's last `capacity` tickets begin.
    std::uint64_t whole_from() const {
        const auto slots_of_ring = static_cast<std::uint64_t>(capacity);
        return end > slots_of_ring ? end - slots_of_ring : 0;
    }
};

// Reads a head and checks that it fits a file of `file_bytes` bytes; the result has no slots.
// Throws RingFileError.
RingFileInfo parse_ring_file(const RingFileHead& head, std::int64_t file_bytes);

// Verifies a whole file: head, length, checksums and slots. Throws RingFileError, or FileError if
// it cannot be read.
RingFileInfo verify_ring_file(const std::string& path);

// Writes the published episodes in the slots of the last `capacity` tickets of [first, end). A slot
// whose last ticket is `end` or later is left out. `sampler` is the caller's id, which holds no
// batch. Others may use the ring meanwhile, but a writer passes over a slot that is being copied.
// Throws std::invalid_argument unless first <= end <= the tickets given; FileError.
RingFileInfo write_ring_file(EpisodeRing& ring, int sampler, const std::string& path,
                             std::uint64_t first, std::uint64_t end);

// Throws RingFileError unless the files, oldest first, hold the slots of all of a ring's last
// `capacity` tickets.
void require_whole_ring(const std::vector<RingFileInfo>& files);

// Makes a fresh ring that nobody uses yet what the verified files, oldest first, hold: slots with
// their generations, and the tickets given. Throws std::logic_error if a ticket was given already;
// as verify_ring_file and require_whole_ring do, and if a file's sizes are not the ring's or it has
// changed. The ring is then empty.
void restore_ring(EpisodeRing& ring, const std::vector<RingFileInfo>& files);

}  // namespace pyqmix
