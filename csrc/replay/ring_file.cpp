#include "replay/ring_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include "base/file.h"
#include "replay/checksum.h"

namespace pyqmix {
namespace {

static_assert(std::endian::native == std::endian::little, "the file's numbers are little-endian");
constexpr char kMagic[8] = {'p', 'y', 'q', 'm', 'i', 'x', 'R', '2'};

std::uint64_t checksum_of_head(const RingFileHead& head) {
    return checksum_of(&head, offsetof(RingFileHead, head_checksum));
}

std::string range_text(std::uint64_t first, std::uint64_t end) {
    return std::to_string(first) + " to " + std::to_string(end);
}

// A verified or half-verified file's body, from its beginning to its end.
class Body {
   public:
    explicit Body(const std::string& path) : file_(File::to_read(path)) {
        const std::int64_t size = file_.size();
        if (size < 0) throw RingFileError("expected a file");
        if (size < std::int64_t{sizeof(RingFileHead)})
            throw RingFileError("expected a saved ring, got " + std::to_string(size) +
                                " bytes, fewer than its head has");
        RingFileHead head;
        read(&head, sizeof head);
        checksum_ = {};
        info_ = parse_ring_file(head, size);
    }

    const RingFileInfo& info() const { return info_; }
    void read(void* to, std::int64_t size) {
        if (!file_.read(to, size)) throw RingFileError("the file became shorter while it was read");
        checksum_.add(to, static_cast<std::size_t>(size));
    }
    std::vector<SavedSlot> read_slots() {
        std::vector<SavedSlot> slots(static_cast<std::size_t>(info_.tickets()));
        read(slots.data(), static_cast<std::int64_t>(slots.size() * sizeof(SavedSlot)));
        return slots;
    }
    void require_checksum() const {
        if (checksum_.value() != info_.body_checksum)
            throw RingFileError("the checksum of the episodes is wrong: the file is damaged");
    }

   private:
    File file_;
    Checksum checksum_;
    RingFileInfo info_;
};

void require_slots(const RingFileInfo& info) {
    std::int64_t published = 0;
    for (const SavedSlot& slot : info.slots) {
        if (slot.published > 1 || slot.generation < slot.published)
            throw RingFileError("a slot's state is none: generation " +
                                std::to_string(slot.generation) + ", published " +
                                std::to_string(slot.published));
        published += slot.published;
    }
    if (published != info.episodes)
        throw RingFileError("expected " + std::to_string(info.episodes) + " episodes, got " +
                            std::to_string(published));
}

void require_counts(const RingFileHead& head) {
    // The last ticket is far from where the numbers end, so that none ever wraps.
    if (head.first > head.end || head.end > std::numeric_limits<std::int64_t>::max() / 2 ||
        head.end - head.first > static_cast<std::uint64_t>(head.spec.capacity))
        throw RingFileError("expected a range of at most " + std::to_string(head.spec.capacity) +
                            " tickets, got " + range_text(head.first, head.end));
    const auto tickets = static_cast<std::int64_t>(head.end - head.first);
    if (head.episodes < 0 || head.episodes > tickets)
        throw RingFileError("expected 0 to " + std::to_string(tickets) + " episodes, got " +
                            std::to_string(head.episodes));
}

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
    throw RingFileError(path + ": " + why);
}

// Copies the episode that a ticket's slot holds, unless it may be a later ticket's.
SavedSlot copy_of_ticket(EpisodeRing& ring, int sampler, std::uint64_t ticket, std::byte* to) {
    SlotControl& control = ring.control();
    const std::int64_t slot = control.slot_of(ticket);
    const bool pinned = control.pin(slot, sampler);
    SavedSlot saved{SlotWord::generation(control.word(slot)), 0};
    if (!pinned) return saved;
    if (ticket + static_cast<std::uint64_t>(control.capacity()) >= control.tickets()) {
        ring.copy_image(slot, ring.layout(), to);
        saved.published = 1;
    }
    control.unpin(slot, sampler);
    return saved;
}

// Sets the slots of a file's tickets: each is emptied, or gets its episode.
void restore_slots(EpisodeRing& ring, const RingFileInfo& info) {
    SlotControl& control = ring.control();
    Body body(info.path);
    if (body.info().checksum != info.checksum)
        throw RingFileError("the file changed while it was read");
    for (std::uint64_t ticket = info.first; ticket < info.end; ++ticket) {
        const std::int64_t slot = control.slot_of(ticket);
        const SavedSlot& saved = info.slots[static_cast<std::size_t>(ticket - info.first)];
        control.restore(slot, saved.generation, false);
        if (!saved.published) continue;
        body.read(ring.at(slot, 0), ring.layout().bytes);
        try {
            ring.restore_image(slot);
        } catch (const std::invalid_argument& error) {
            throw RingFileError("the episode of ticket " + std::to_string(ticket) + ": " +
                                error.what());
        }
        control.restore(slot, saved.generation, true);
    }
    body.read_slots();
    body.require_checksum();
}

}  // namespace

RingFileInfo parse_ring_file(const RingFileHead& head, std::int64_t file_bytes) {
    if (std::memcmp(head.magic, kMagic, sizeof kMagic) != 0)
        throw RingFileError("expected a saved ring, got a file of another kind or version");
    if (head.head_checksum != checksum_of_head(head))
        throw RingFileError("the checksum of the head is wrong: the file is damaged");
    try {
        RingFileInfo info;
        info.spec = checked_spec(head.spec);
        info.capacity = head.spec.capacity;
        info.first = head.first;
        info.end = head.end;
        info.episodes = head.episodes;
        info.bytes = file_bytes;
        info.body_checksum = head.body_checksum;
        info.checksum = head.head_checksum;
        const EpisodeLayout layout(info.spec);
        EpisodeRing::bytes_for(layout, info.capacity);  // must not overflow
        require_counts(head);
        const std::int64_t expected = checked_add(
            sizeof(RingFileHead), checked_add(checked_mul(layout.bytes, info.episodes),
                                              checked_mul(sizeof(SavedSlot), info.tickets())));
        if (file_bytes != expected)
            throw RingFileError("expected " + std::to_string(expected) + " bytes, got " +
                                std::to_string(file_bytes));
        return info;
    } catch (const std::logic_error& error) {
        throw RingFileError(error.what());
    } catch (const std::overflow_error& error) {
        throw RingFileError(error.what());
    }
}

RingFileInfo verify_ring_file(const std::string& path) try {
    Body body(path);
    RingFileInfo info = body.info();
    info.path = path;
    std::array<std::byte, 1 << 16> buffer;
    for (std::int64_t left = EpisodeLayout(info.spec).bytes * info.episodes; left > 0;) {
        const auto size = std::min<std::int64_t>(left, buffer.size());
        body.read(buffer.data(), size);
        left -= size;
    }
    info.slots = body.read_slots();
    body.require_checksum();
    require_slots(info);
    return info;
} catch (const RingFileError& error) {
    refuse(path, error.what());
}

RingFileInfo write_ring_file(EpisodeRing& ring, int sampler, const std::string& path,
                             std::uint64_t first, std::uint64_t end) {
    const SlotControl& control = ring.control();
    if (first > end || end > control.tickets())
        throw std::invalid_argument(
            "since, until: expected 0 <= since <= until <= " + std::to_string(control.tickets()) +
            ", got " + range_text(first, end));
    RingFileInfo info;
    info.path = path;
    info.spec = ring.layout().spec;
    info.capacity = control.capacity();
    info.end = end;
    info.first = std::max(first, info.whole_from());
    File file = File::to_write(path);
    RingFileHead head{};
    file.write(&head, sizeof head);  // invalid until the file is whole
    Checksum checksum;
    const auto add = [&](const void* data, std::size_t size) {
        checksum.add(data, size);
        file.write(data, static_cast<std::int64_t>(size));
    };
    std::vector<std::byte> image(static_cast<std::size_t>(ring.layout().bytes));
    for (std::uint64_t ticket = info.first; ticket < end; ++ticket) {
        info.slots.push_back(copy_of_ticket(ring, sampler, ticket, image.data()));
        if (!info.slots.back().published) continue;
        add(image.data(), image.size());
        ++info.episodes;
    }
    add(info.slots.data(), info.slots.size() * sizeof(SavedSlot));
    std::memcpy(head.magic, kMagic, sizeof kMagic);
    head.spec = stored(info.spec, info.capacity);
    head.first = info.first;
    head.end = end;
    head.episodes = info.episodes;
    head.body_checksum = checksum.value();
    head.head_checksum = info.checksum = checksum_of_head(head);
    info.bytes = file.size();
    file.rewind();
    file.write(&head, sizeof head);
    return info;
}

void require_whole_ring(const std::vector<RingFileInfo>& files) {
    if (files.empty()) throw RingFileError("expected at least one file");
    std::uint64_t before = 0, covered = files.back().whole_from();
    for (const RingFileInfo& info : files) {
        const std::string got = ", got " + range_text(info.first, info.end);
        if (info.first > covered)
            refuse(info.path, "expected tickets from " + std::to_string(covered) + " on" + got);
        if (info.end < before)
            refuse(info.path, "expected tickets to " + std::to_string(before) + " or later" + got);
        before = info.end;
        covered = std::max(covered, info.end);
    }
}

void restore_ring(EpisodeRing& ring, const std::vector<RingFileInfo>& files) {
    SlotControl& control = ring.control();
    if (control.tickets() > 0)
        throw std::logic_error("expected a fresh ring, got one of which " +
                               std::to_string(control.tickets()) + " tickets were given");
    for (const RingFileInfo& info : files)
        if (ring.layout().spec != info.spec || control.capacity() != info.capacity)
            refuse(info.path, "expected the ring's sizes, got others");
    require_whole_ring(files);
    const RingFileInfo* now = nullptr;
    try {
        for (const RingFileInfo& info : files) restore_slots(ring, *(now = &info));
    } catch (const std::exception& error) {
        for (std::int64_t slot = 0; slot < control.capacity(); ++slot)
            control.restore(slot, 0, false);
        if (dynamic_cast<const RingFileError*>(&error)) refuse(now->path, error.what());
        throw;
    }
    control.restore_tickets(files.back().end);
}

}  // namespace pyqmix
