#include "replay/packed_episodes.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>

#include "replay/checksum.h"

namespace pyqmix {
namespace {

static_assert(std::endian::native == std::endian::little, "packed numbers are little-endian");
constexpr char kMagic[8] = {'p', 'y', 'q', 'm', 'i', 'x', 'E', '1'};
constexpr auto kHeadBytes = static_cast<std::int64_t>(sizeof(PackedHead));

EpisodeLayout layout_of(EpisodeSpec spec, std::int64_t steps) {
    spec.episode_limit = steps;
    return EpisodeLayout(spec);
}

std::uint64_t checksum_of_sizes(EpisodeSpec spec) {
    spec.episode_limit = 1;
    const StoredSpec sizes = stored(spec, 1);
    return checksum_of(&sizes, sizeof sizes);
}

std::uint64_t checksum_of_episode(const PackedHead& head, const std::byte* slot,
                                  std::int64_t bytes) {
    Checksum checksum;
    checksum.add(&head, offsetof(PackedHead, checksum));
    checksum.add(slot, static_cast<std::size_t>(bytes));
    return checksum.value();
}

[[noreturn]] void refuse(const std::string& expected, const std::string& got) {
    throw std::invalid_argument("packed episodes: expected " + expected + ", got " + got);
}

}  // namespace

std::vector<std::byte> pack_slots(EpisodeRing& ring, int sampler, std::uint64_t ticket,
                                  std::int64_t episode, std::int64_t count) {
    SlotControl& control = ring.control();
    const std::uint64_t sizes = checksum_of_sizes(ring.layout().spec);
    std::vector<std::byte> packed;
    for (std::int64_t k = 0; k < count; ++k) {
        const std::uint64_t of_episode = ticket + static_cast<std::uint64_t>(k);
        const std::int64_t slot = control.slot_of(of_episode);
        if (!control.pin(slot, sampler))
            throw std::runtime_error("ticket " + std::to_string(of_episode) +
                                     ": its slot holds no published episode");
        const EpisodeLayout as = layout_of(ring.layout().spec, ring.length(slot));
        PackedHead head{{}, sizes, episode + k, as.spec.episode_limit, 0};
        std::memcpy(head.magic, kMagic, sizeof kMagic);
        const std::size_t begin = packed.size();
        packed.resize(begin + sizeof head + static_cast<std::size_t>(as.bytes));
        std::byte* const to = packed.data() + begin;
        ring.copy_image(slot, as, to + sizeof head);
        control.unpin(slot, sampler);
        head.checksum = checksum_of_episode(head, to + sizeof head, as.bytes);
        std::memcpy(to, &head, sizeof head);
    }
    return packed;
}

void EpisodeReceiver::expect(std::int64_t first, std::int64_t count, std::uint64_t ticket) {
    if (first < 0 || count < 1)
        throw std::invalid_argument("expect: expected a first episode >= 0 and a count >= 1");
    first_ = first;
    ticket_ = ticket;
    came_.assign(static_cast<std::size_t>(count), false);
}

bool EpisodeReceiver::receive(const std::byte* from, std::int64_t size) {
    writer_.require_here();
    const std::vector<Found> all = read_all(from, size);
    return std::all_of(all.begin(), all.end(),
                       [this](const Found& found) { return publish(found); });
}

std::vector<std::int64_t> EpisodeReceiver::missing() const {
    std::vector<std::int64_t> missing;
    for (std::size_t place = 0; place < came_.size(); ++place)
        if (!came_[place]) missing.push_back(first_ + static_cast<std::int64_t>(place));
    return missing;
}

EpisodeReceiver::Found EpisodeReceiver::read(const std::byte* from, std::int64_t size) const {
    Found found;
    if (size < kHeadBytes) refuse("a whole episode", std::to_string(size) + " bytes");
    std::memcpy(&found.head, from, sizeof found.head);
    found.slot = from + sizeof found.head;
    const EpisodeSpec& spec = writer_.ring().layout().spec;
    if (std::memcmp(found.head.magic, kMagic, sizeof kMagic) != 0)
        refuse("an episode of this version of pyqmix", "other bytes");
    if (found.head.sizes != checksum_of_sizes(spec))
        refuse("episodes of the ring's sizes", "others");
    if (found.head.steps < 1 || found.head.steps > spec.episode_limit)
        refuse("1 to " + std::to_string(spec.episode_limit) + " steps",
               std::to_string(found.head.steps));
    const std::int64_t bytes = layout_of(spec, found.head.steps).bytes;
    if (size - kHeadBytes < bytes)
        refuse(std::to_string(bytes) + " bytes of an episode", std::to_string(size - kHeadBytes));
    if (found.head.checksum != checksum_of_episode(found.head, found.slot, bytes))
        refuse("an undamaged episode", "one whose checksum is wrong");
    return found;
}

std::vector<EpisodeReceiver::Found> EpisodeReceiver::read_all(const std::byte* from,
                                                              std::int64_t size) const {
    std::vector<Found> all;
    std::vector<bool> came = came_;
    while (size > 0) {
        all.push_back(read(from, size));
        const PackedHead& head = all.back().head;
        if (head.episode < first_ || place_of(head.episode) >= came.size())
            refuse("episodes from " + std::to_string(first_) + " to " +
                       std::to_string(first_ + static_cast<std::int64_t>(came.size()) - 1),
                   std::to_string(head.episode));
        if (came[place_of(head.episode)])
            refuse("each episode once", std::to_string(head.episode) + " again");
        came[place_of(head.episode)] = true;
        const std::int64_t bytes =
            kHeadBytes + layout_of(writer_.ring().layout().spec, head.steps).bytes;
        from += bytes;
        size -= bytes;
    }
    return all;
}

bool EpisodeReceiver::publish(const Found& found) {
    EpisodeRing& ring = writer_.ring();
    const std::size_t place = place_of(found.head.episode);
    const std::int64_t slot =
        ring.claim_ticket(ticket_ + static_cast<std::uint64_t>(place), writer_.id());
    if (slot == SlotControl::kBusy) return false;
    try {
        ring.load_image(slot, layout_of(ring.layout().spec, found.head.steps), found.slot);
    } catch (...) {
        ring.control().abort(slot, writer_.id());
        throw;
    }
    if (!ring.control().publish(slot, writer_.id()))
        throw std::runtime_error("the episode's slot was taken from this writer");
    came_[place] = true;
    return true;
}

}  // namespace pyqmix
