// The control words of all slots, with tickets and counters, in memory that threads and processes
// share. The threading contract of each word is that of slot_machine.h.
//
// An owner id belongs to one writer, which may have several slots WRITING at a time; a sampler's
// pin bit belongs to one sampler, which holds at most one batch at a time. claim makes at most
// `capacity` attempts and may answer "busy"; no caller waits for another.
#pragma once

#include <atomic>
#include <cstdint>

#include "replay/slot_machine.h"

namespace pyqmix {

static_assert(std::atomic<std::uint64_t>::is_always_lock_free,
              "the ring is shared between processes: its atomics must be lock-free");

enum class Role { writer, sampler };

class SlotControl {
   public:
    static constexpr int kMaxSamplers = SlotWord::kMaxSamplers;
    static constexpr int kMaxWriters = SlotWord::kMaxWriters;
    static constexpr std::int64_t kBusy = -1;

    // Alone on its cache line.
    struct alignas(64) Line {
        std::atomic<std::uint64_t> value{0};
    };
    // Lies in the shared memory; all zero at the start. Counters may miss the last event of a
    // killed process.
    struct Shared {
        Line head, published, overwritten, aborted, revoked, busy;
        Line next_id[2];  // where the search for a free id of each role begins
    };

    SlotControl(Shared& shared, Line* words, std::int64_t capacity)
        : shared_(&shared), words_(words), capacity_(capacity) {}

    std::int64_t capacity() const { return capacity_; }

    // Tickets given so far. A caller that pinned an episode also sees its claim's ticket given: the
    // writer's release orders it, whereas a claim orders nothing before it.
    std::uint64_t tickets() const { return shared_->head.value.load(std::memory_order_relaxed); }

    // Where a ticket points. From the next ticket's slot on, slots hold the oldest episodes first.
    std::int64_t slot_of(std::uint64_t ticket) const {
        return static_cast<std::int64_t>(ticket % static_cast<std::uint64_t>(capacity_));
    }

    // Slots that have ever been claimed lie in [0, touched()).
    std::int64_t touched() const {
        const std::uint64_t head = tickets();
        return head < static_cast<std::uint64_t>(capacity_) ? static_cast<std::int64_t>(head)
                                                            : capacity_;
    }

    // Published episodes that are not about to be overwritten. Momentary while others write.
    std::int64_t sampleable() const {
        std::int64_t count = 0;
        for (std::int64_t slot = 0, end = touched(); slot < end; ++slot)
            count += SlotWord::sampleable(words_[slot].value.load(std::memory_order_relaxed));
        return count;
    }

    // Takes the next `count` tickets: slots in their order, which claim_ticket claims.
    std::uint64_t reserve(std::uint64_t count) {
        return shared_->head.value.fetch_add(count, std::memory_order_relaxed);
    }

    // Claims the oldest slot that is free, or returns kBusy if the next `capacity` tickets give
    // none. reap(role, id) is called for a holder that is in the way. It returns true if that
    // holder was dead and its slots and pins have been released.
    template <typename Reap>
    std::int64_t claim(int owner, Reap&& reap) {
        return claim_ticket(reserve(1), owner, reap);
    }
    std::int64_t claim(int owner) {
        return claim(owner, [](Role, int) { return false; });
    }

    // The same, beginning with a reserved ticket.
    template <typename Reap>
    std::int64_t claim_ticket(std::uint64_t ticket, int owner, Reap&& reap) {
        for (std::int64_t attempt = 0; attempt < capacity_; ++attempt) {
            if (attempt > 0) ticket = reserve(1);
            const std::int64_t slot = slot_of(ticket);
            if (claim_slot(slot, owner, reap)) return slot;
        }
        count(shared_->busy);
        return kBusy;
    }

    // WRITING(owner) -> READY. False if the slot is not this owner's (any more).
    bool publish(std::int64_t slot, int owner) {
        return machine(slot).publish(owner) && count(shared_->published);
    }

    // WRITING(owner) -> EMPTY. False as for publish.
    bool abort(std::int64_t slot, int owner) {
        return machine(slot).abort(owner) && count(shared_->aborted);
    }

    bool pin(std::int64_t slot, int sampler) { return machine(slot).pin(sampler); }
    void unpin(std::int64_t slot, int sampler) { machine(slot).unpin(sampler); }

    // Releases all slots or pins of an id, for a caller that proved its holder dead and holds it
    // now.
    void sweep(Role role, int id) {
        for (std::int64_t slot = 0; slot < capacity_; ++slot)
            if (role == Role::sampler)
                machine(slot).clear_pin(id);
            else if (machine(slot).revoke(id))
                count(shared_->revoked);
    }

    // Sets a slot to READY or EMPTY with a generation; and the tickets given so far, after which
    // the READY slots count as published. Only for a ring that nobody else uses yet.
    void restore(std::int64_t slot, std::uint32_t generation, bool published) {
        const SlotState state = published ? SlotState::ready : SlotState::empty;
        words_[slot].value.store(SlotWord::make(generation, 0, state), std::memory_order_release);
    }
    void restore_tickets(std::uint64_t tickets) {
        shared_->head.value.store(tickets, std::memory_order_release);
        shared_->published.value.store(static_cast<std::uint64_t>(sampleable()),
                                       std::memory_order_relaxed);
    }

    std::uint64_t word(std::int64_t slot) const {
        return words_[slot].value.load(std::memory_order_relaxed);
    }
    Shared& shared() { return *shared_; }
    const Shared& shared() const { return *shared_; }

   private:
    SlotMachine<std::atomic<std::uint64_t>> machine(std::int64_t slot) const {
        return SlotMachine<std::atomic<std::uint64_t>>(words_[slot].value);
    }
    static bool count(Line& counter) {
        counter.value.fetch_add(1, std::memory_order_relaxed);
        return true;
    }

    template <typename Reap>
    bool claim_slot(std::int64_t slot, int owner, Reap&& reap) {
        for (int attempt = 0; attempt < 2; ++attempt) {
            std::uint64_t seen = 0;
            const Claim claim = machine(slot).claim(owner, seen);
            if (claim == Claim::overwrote) count(shared_->overwritten);
            if (claim == Claim::empty || claim == Claim::overwrote) return true;
            if (claim == Claim::contended || !reap_whoever_holds(seen, owner, reap)) return false;
        }
        return false;
    }

    // A pinned slot's samplers are asked about only when they have kept it for a lap, as its retire
    // bit tells: asking costs a system call.
    template <typename Reap>
    static bool reap_whoever_holds(std::uint64_t seen, int owner, Reap&& reap) {
        if (SlotWord::state(seen) == SlotState::writing)
            return SlotWord::owner(seen) != owner && reap(Role::writer, SlotWord::owner(seen));
        bool any = false;
        if (seen & SlotWord::kRetire)
            for (int sampler = 0; sampler < kMaxSamplers; ++sampler)
                if (seen & SlotWord::pin_bit(sampler)) any |= reap(Role::sampler, sampler);
        return any;
    }

    Shared* shared_;
    Line* words_;
    std::int64_t capacity_;
};

}  // namespace pyqmix
