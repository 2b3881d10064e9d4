#include "replay/episode_ring.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <new>
#include <string>
#include <utility>

namespace pyqmix {
namespace {

constexpr char kMagic[8] = {'p', 'y', 'q', 'm', 'r', 'i', 'n', '2'};

[[noreturn]] void refuse_not_finite(const char* field, float value) {
    throw std::invalid_argument(std::string(field) + ": expected finite numbers, got " +
                                std::to_string(value));
}

[[noreturn]] void refuse_lossy(const char* field, float value, Storage type) {
    if (type == Storage::float32) refuse_not_finite(field, value);
    throw std::invalid_argument(std::string(field) + ": " + std::to_string(value) +
                                " cannot be stored exactly as " + storage_name(type));
}

[[noreturn]] void refuse_memory(const std::string& why) {
    throw std::invalid_argument(
        "fd: expected the descriptor of a shared ring, got memory of which " + why);
}

// What an episode of some steps fills of a field.
struct Field {
    std::int64_t EpisodeLayout::* offset;
    std::size_t bytes;
};

std::array<Field, 8> fields_of(const EpisodeLayout& at, std::int64_t steps) {
    using Layout = EpisodeLayout;
    const EpisodeSpec& s = at.spec;
    const std::int64_t points = steps + 1;
    const auto field = [](std::int64_t Layout::* offset, std::int64_t bytes) {
        return Field{offset, static_cast<std::size_t>(bytes)};
    };
    return {field(&Layout::length, sizeof(std::uint32_t)),
            field(&Layout::obs, points * s.n_agents * at.stored_obs_dim() * size_of(s.obs_storage)),
            field(&Layout::avail, points * s.n_agents * at.mask_bytes),
            field(&Layout::state, points * at.stored_state_dim() * size_of(s.state_storage)),
            field(&Layout::snapshot, points * at.snapshot_sizes.bytes),
            field(&Layout::actions, steps * s.n_agents * at.action_bytes),
            field(&Layout::rewards, steps * std::int64_t{sizeof(float)}),
            field(&Layout::terminated, steps)};
}

}  // namespace

// The memory's head; behind it the control words, and behind those the slots.
struct EpisodeRing::Header {
    char magic[8];
    StoredSpec spec;
    SlotControl::Shared control;
};

EpisodeRing::Header& EpisodeRing::header() const {
    return *reinterpret_cast<Header*>(memory_.data());
}

std::int64_t EpisodeRing::bytes_for(const EpisodeLayout& layout, std::int64_t capacity) {
    const std::int64_t each = checked_add(layout.bytes, sizeof(SlotControl::Line));
    return checked_add(sizeof(Header), checked_mul(each, capacity));
}

EpisodeRing::EpisodeRing(const EpisodeSpec& spec, std::int64_t capacity, bool shared)
    : EpisodeRing([&] {
          if (capacity < 1) throw std::invalid_argument("capacity: expected a positive integer");
          RingMemory memory = RingMemory::make(bytes_for(EpisodeLayout(spec), capacity), shared);
          auto* const head = new (memory.data()) Header;
          auto* const words = memory.data() + sizeof(Header);
          for (std::int64_t slot = 0; slot < capacity; ++slot)
              new (words + slot * std::int64_t{sizeof(SlotControl::Line)}) SlotControl::Line;
          head->spec = stored(spec, capacity);
          std::memcpy(head->magic, kMagic, sizeof kMagic);
          return memory;
      }()) {}

EpisodeRing::EpisodeRing(RingMemory memory)
    : memory_(std::move(memory)),
      layout_(layout_in(memory_)),
      control_(header().control,
               reinterpret_cast<SlotControl::Line*>(memory_.data() + sizeof(Header)),
               header().spec.capacity),
      slots_(memory_.data() + sizeof(Header) +
             control_.capacity() * std::int64_t{sizeof(SlotControl::Line)}),
      registry_(memory_.fd()) {}

EpisodeLayout EpisodeRing::layout_in(const RingMemory& memory) {
    if (memory.size() < std::int64_t{sizeof(Header)}) refuse_memory("the head is cut off");
    const auto& head = *reinterpret_cast<const Header*>(memory.data());
    if (std::memcmp(head.magic, kMagic, sizeof kMagic) != 0) refuse_memory("the head is foreign");
    try {
        EpisodeLayout layout(checked_spec(head.spec));
        if (bytes_for(layout, head.spec.capacity) == memory.size()) return layout;
    } catch (const std::exception& error) {
        refuse_memory(error.what());
    }
    refuse_memory("the size is not what its head says");
}

int EpisodeRing::enter(Role role) {
    auto& next = control_.shared().next_id[static_cast<int>(role)].value;
    return registry_.enter(role, next.fetch_add(1, std::memory_order_relaxed),
                           [this](Role swept, int id) { sweep(swept, id); });
}

std::int64_t EpisodeRing::claim_ticket(std::uint64_t ticket, int writer) {
    return control_.claim_ticket(ticket, writer, [this](Role role, int id) {
        return registry_.reap(role, id, [this](Role swept, int dead) { sweep(swept, dead); });
    });
}

void EpisodeRing::set_length(std::int64_t slot, std::int64_t length) {
    const auto stored = static_cast<std::uint32_t>(length);
    std::memcpy(at(slot, layout_.length), &stored, sizeof stored);
}

void EpisodeRing::write_points(std::int64_t slot, std::int64_t t, std::int64_t count,
                               const PointIn& points) {
    const EpisodeSpec& s = layout_.spec;
    if (t + count - 1 > s.episode_limit)
        throw std::invalid_argument("episode_limit: the slot holds " +
                                    std::to_string(s.episode_limit) + " steps, and it is full");
    pack_flags(points.avail, count * s.n_agents, s.n_actions, avail_at(slot, t));
    if (layout_.has_snapshots()) return write_snapshots(slot, t, count, points.snapshot);
    const std::int64_t lossy =
        encode(s.obs_storage, points.obs, count * s.n_agents * s.obs_dim, obs_at(slot, t));
    if (lossy >= 0) refuse_lossy("obs", points.obs[lossy], s.obs_storage);
    if (s.state_dim == 0) return;
    const std::int64_t lossy_state =
        encode(s.state_storage, points.state, count * s.state_dim, state_at(slot, t));
    if (lossy_state >= 0) refuse_lossy("state", points.state[lossy_state], s.state_storage);
}

void EpisodeRing::write_snapshots(std::int64_t slot, std::int64_t t, std::int64_t count,
                                  const std::byte* from) {
    const SnapshotCodec& codec = snapshot_codec(layout_.spec.snapshot);
    const std::int64_t each = layout_.snapshot_sizes.bytes;
    if (!from)
        throw std::invalid_argument(
            "snapshot: expected " + std::to_string(each) +
            " bytes, because this ring stores snapshots of " + codec.name +
            " in place of observations and states, got none; a spec without "
            "snapshot stores observations themselves");
    codec.check(layout_.spec, from, count);
    std::memcpy(snapshot_at(slot, t), from, static_cast<std::size_t>(count * each));
}

template <typename Action>
void EpisodeRing::write_step(std::int64_t slot, std::int64_t t, const Action* actions, float reward,
                             bool terminated) {
    const EpisodeSpec& s = layout_.spec;
    if (!std::isfinite(reward)) refuse_not_finite("rewards", reward);
    std::byte* to = at(slot, layout_.actions + t * s.n_agents * layout_.action_bytes);
    for (std::int64_t i = 0; i < s.n_agents; ++i, to += layout_.action_bytes) {
        const std::int64_t taken = actions[i];
        if (taken < 0 || taken >= s.n_actions)
            throw std::invalid_argument("actions: agent " + std::to_string(i) + " took " +
                                        std::to_string(taken) + ", expected 0 to " +
                                        std::to_string(s.n_actions - 1));
        const auto action = static_cast<std::uint16_t>(taken);
        if (layout_.action_bytes == 1)
            *to = static_cast<std::byte>(action);
        else
            std::memcpy(to, &action, sizeof action);
    }
    std::memcpy(at(slot, layout_.rewards + t * std::int64_t{sizeof reward}), &reward,
                sizeof reward);
    *at(slot, layout_.terminated + t) = static_cast<std::byte>(terminated);
    set_length(slot, t + 1);
}

template void EpisodeRing::write_step(std::int64_t, std::int64_t, const std::int64_t*, float, bool);
template void EpisodeRing::write_step(std::int64_t, std::int64_t, const std::uint8_t*, float, bool);

void EpisodeRing::write_episode(std::int64_t slot, const EpisodeIn& episode) {
    write_points(slot, 0, episode.steps + 1, episode.points);
    for (std::int64_t t = 0; t < episode.steps; ++t)
        write_step(slot, t, episode.actions + t * layout_.spec.n_agents, episode.rewards[t],
                   episode.terminated[t]);
}

void EpisodeRing::finish(std::int64_t slot, std::int64_t steps) {
    if (steps < 1 || steps > layout_.spec.episode_limit)
        throw std::invalid_argument("steps: expected 1 to " +
                                    std::to_string(layout_.spec.episode_limit) + ", got " +
                                    std::to_string(steps));
    require_actions(slot, steps);
    require_finite(slot, steps);
    set_length(slot, steps);
}

void EpisodeRing::require_actions(std::int64_t slot, std::int64_t steps) const {
    const EpisodeSpec& s = layout_.spec;
    const std::byte* const actions = at(slot, layout_.actions);
    const std::int64_t count = steps * s.n_agents;
    std::int64_t highest = 0;
    for (std::int64_t k = 0; k < count; ++k) {
        std::uint16_t action = 0;
        std::memcpy(&action, actions + k * layout_.action_bytes,
                    static_cast<std::size_t>(layout_.action_bytes));
        highest = std::max<std::int64_t>(highest, action);
    }
    if (highest >= s.n_actions)
        throw std::invalid_argument("actions: expected 0 to " + std::to_string(s.n_actions - 1) +
                                    ", got " + std::to_string(highest));
}

void EpisodeRing::require_finite(std::int64_t slot, std::int64_t steps) const {
    const EpisodeSpec& s = layout_.spec;
    const auto require = [&](const char* field, std::int64_t offset, std::int64_t count) {
        const auto* const values = reinterpret_cast<const float*>(at(slot, offset));
        const std::int64_t found = find_not_finite(values, count);
        if (found >= 0) refuse_not_finite(field, values[found]);
    };
    const std::int64_t points = steps + 1;
    require("rewards", layout_.rewards, steps);
    if (layout_.has_snapshots())
        return snapshot_codec(s.snapshot).check(s, snapshot_at(slot, 0), points);
    if (s.obs_storage == Storage::float32)
        require("obs", layout_.obs, points * s.n_agents * s.obs_dim);
    if (s.state_storage == Storage::float32) require("state", layout_.state, points * s.state_dim);
}

void EpisodeRing::copy_image(std::int64_t slot, const EpisodeLayout& as, std::byte* to) const {
    std::memset(to, 0, static_cast<std::size_t>(as.bytes));
    for (const Field& field : fields_of(layout_, length(slot)))
        std::memcpy(to + as.*field.offset, at(slot, layout_.*field.offset), field.bytes);
}

void EpisodeRing::load_image(std::int64_t slot, const EpisodeLayout& as, const std::byte* from) {
    std::uint32_t steps;
    std::memcpy(&steps, from + as.length, sizeof steps);
    if (steps > as.spec.episode_limit || steps > layout_.spec.episode_limit)
        throw std::invalid_argument("steps: expected at most " +
                                    std::to_string(layout_.spec.episode_limit) + ", got " +
                                    std::to_string(steps));
    for (const Field& field : fields_of(layout_, steps))
        std::memcpy(at(slot, layout_.*field.offset), from + as.*field.offset, field.bytes);
    restore_image(slot);
}

}  // namespace pyqmix
