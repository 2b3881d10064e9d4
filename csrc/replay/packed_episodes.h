// Published episodes as bytes, on their way from one ring to another one elsewhere.
//
//     packed episodes: one or more, each    head | slot
//
// The slot is that of a ring whose limit is the episode's own length, so that a short episode is
// short; it is copied straight from one ring's slot and into the other's. All is little-endian.
//
// Receiving trusts nothing: lengths, checksums and the numbers of all episodes are verified before
// the first is published, and every episode's content before it can be sampled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "replay/member.h"

namespace pyqmix {

struct PackedHead {
    char magic[8];
    std::uint64_t sizes;     // checksum of the episodes' sizes, without their limit
    std::int64_t episode;    // its index in the run
    std::int64_t steps;      // L
    std::uint64_t checksum;  // of the numbers above and of the slot
};
static_assert(std::is_trivially_copyable_v<PackedHead> && sizeof(PackedHead) == 40);

// Packs the episodes of `count` tickets, from `ticket` on; the first one's index is `episode`.
// `sampler` is an id of the ring that holds no batch. Throws std::runtime_error if a ticket's slot
// holds no published episode.
std::vector<std::byte> pack_slots(EpisodeRing& ring, int sampler, std::uint64_t ticket,
                                  std::int64_t episode, std::int64_t count);

// Publishes packed episodes in a ring, each exactly once and where its ticket says. One thread at a
// time.
class EpisodeReceiver {
   public:
    explicit EpisodeReceiver(std::shared_ptr<EpisodeRing> ring)
        : writer_(std::move(ring), Role::writer) {}

    // Expects the episodes first, ..., first + count - 1, whose reserved tickets begin with
    // `ticket`. Nothing that was expected before is waited for any more.
    void expect(std::int64_t first, std::int64_t count, std::uint64_t ticket);
    // Publishes packed episodes, in any order. False if no slot of the ring was free; some may have
    // been published then. Throws std::invalid_argument, before it publishes any, if they are
    // damaged, of other sizes, not expected, or have come before.
    bool receive(const std::byte* from, std::int64_t size);
    // The expected episodes that have not come.
    std::vector<std::int64_t> missing() const;

   private:
    struct Found {
        PackedHead head;
        const std::byte* slot;
    };

    Found read(const std::byte* from, std::int64_t size) const;
    std::vector<Found> read_all(const std::byte* from, std::int64_t size) const;
    bool publish(const Found& found);
    std::size_t place_of(std::int64_t episode) const {
        return static_cast<std::size_t>(episode - first_);
    }

    Member writer_;
    std::int64_t first_ = 0;
    std::uint64_t ticket_ = 0;
    std::vector<bool> came_;
};

}  // namespace pyqmix
