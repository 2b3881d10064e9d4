// Writers claim, fill, publish, abort or die; samplers pin, check, unpin or die; whoever meets the
// dead reaps them. Every payload carries a ticket and a checksum. Exits 1 on a torn payload, a
// ticket that was never issued or that stands in two slots, or counters that do not add up. Built
// with -fsanitize=thread it also reports payload accesses that no acquire and release orders.
//
//   ring_stress PUBLISHES [WRITERS SAMPLERS SLOTS]
#include <array>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "replay/slot_control.h"

using namespace pyqmix;

namespace {

// Byte locks of processes, played by a mutex: an id is alive, dead, or nobody's.
class Lives {
   public:
    explicit Lives(SlotControl& control) : control_(control) {}

    // The next of a holder's two ids; swept first if its last life ended in death.
    int born(Role role, int holder) {
        std::lock_guard lock(mutex_);
        auto& life = lives(role)[static_cast<std::size_t>(holder)];
        life.now = 1 - life.now;
        const int id = 2 * holder + life.now;
        if (std::exchange(life.dead[life.now], false)) control_.sweep(role, id);
        return id;
    }
    void die(Role role, int id) {
        std::lock_guard lock(mutex_);
        lives(role)[static_cast<std::size_t>(id / 2)].dead[id % 2] = true;
    }
    bool reap(Role role, int id) {
        std::lock_guard lock(mutex_);
        auto& life = lives(role)[static_cast<std::size_t>(id / 2)];
        if (!std::exchange(life.dead[id % 2], false)) return false;
        control_.sweep(role, id);
        return true;
    }

   private:
    struct Life {
        int now = 0;
        bool dead[2] = {false, false};
    };
    std::array<Life, 64>& lives(Role role) { return lives_[static_cast<int>(role)]; }

    SlotControl& control_;
    std::mutex mutex_;
    std::array<Life, 64> lives_[2];
};

struct Payload {
    std::uint64_t ticket = 0;  // writer << 40 | how many it has published
    std::array<std::uint64_t, 6> words{};
    std::uint64_t checksum = 0;

    void fill(std::uint64_t mine) {
        ticket = mine;
        checksum = 0;
        for (std::size_t k = 0; k < words.size(); ++k)
            checksum = checksum * 31 + (words[k] = mine * (2 * k + 3));
    }
    bool whole() const {
        std::uint64_t sum = 0;
        for (const std::uint64_t word : words) sum = sum * 31 + word;
        return sum == checksum && words[0] == ticket * 3;
    }
};

struct Ring {
    explicit Ring(std::int64_t slots)
        : words(static_cast<std::size_t>(slots)),
          payloads(static_cast<std::size_t>(slots)),
          control(shared, words.data(), slots) {}
    Payload& payload(std::int64_t slot) { return payloads[static_cast<std::size_t>(slot)]; }

    SlotControl::Shared shared;
    std::vector<SlotControl::Line> words;
    std::vector<Payload> payloads;
    SlotControl control;
    Lives lives{control};
    std::atomic<bool> running{true};
    std::atomic<long> torn{0}, sampled{0};
    std::array<std::atomic<std::uint64_t>, 64> issued{};
};

constexpr std::uint64_t kDeathEvery = 3001, kAbortEvery = 7;

void write(Ring& ring, int writer, std::uint64_t publishes) {
    const auto reap = [&](Role role, int id) { return ring.lives.reap(role, id); };
    int id = ring.lives.born(Role::writer, writer);
    std::uint64_t rounds = 0;
    for (std::uint64_t published = 0; published < publishes; ++rounds) {
        const std::int64_t slot = ring.control.claim(id, reap);
        if (slot == SlotControl::kBusy) continue;
        // Told before it can be seen. Relaxed: whoever sees the ticket acquired the payload.
        ring.issued[static_cast<std::size_t>(writer)].store(published, std::memory_order_relaxed);
        ring.payload(slot).fill(static_cast<std::uint64_t>(writer) << 40 | published);
        if (rounds % kDeathEvery == kDeathEvery - 1) {
            ring.lives.die(Role::writer, id);
            id = ring.lives.born(Role::writer, writer);
        } else if (rounds % kAbortEvery == kAbortEvery - 1) {
            if (!ring.control.abort(slot, id)) ring.torn.fetch_add(1);
        } else {
            if (!ring.control.publish(slot, id)) ring.torn.fetch_add(1);
            ++published;
        }
    }
}

void sample(Ring& ring, int sampler) {
    int id = ring.lives.born(Role::sampler, sampler);
    std::uint64_t pinned = 0;
    for (std::int64_t slot = 0; ring.running.load(); slot = (slot + 1) % ring.control.capacity()) {
        if (!ring.control.pin(slot, id)) continue;
        const Payload& payload = ring.payload(slot);
        const std::uint64_t issued =
            ring.issued[payload.ticket >> 40].load(std::memory_order_relaxed);
        if (!payload.whole() || (payload.ticket & ((std::uint64_t{1} << 40) - 1)) > issued)
            ring.torn.fetch_add(1);
        if (++pinned % kDeathEvery == 0) {
            ring.lives.die(Role::sampler, id);
            id = ring.lives.born(Role::sampler, sampler);
        } else {
            ring.control.unpin(slot, id);
        }
    }
    ring.sampled.fetch_add(static_cast<long>(pinned));
}

bool adds_up(const Ring& ring) {
    const auto count = [](const SlotControl::Line& line) { return line.value.load(); };
    std::set<std::uint64_t> tickets;
    std::uint64_t ready = 0;
    for (std::int64_t slot = 0; slot < ring.control.capacity(); ++slot)
        if (SlotWord::state(ring.control.word(slot)) == SlotState::ready) {
            ++ready;
            tickets.insert(ring.payloads[static_cast<std::size_t>(slot)].ticket);
        }
    return tickets.size() == ready &&
           count(ring.shared.published) - count(ring.shared.overwritten) == ready;
}

}  // namespace

int main(int count, char** arguments) {
    const auto argument = [&](int k, long otherwise) {
        return count > k ? std::atol(arguments[k]) : otherwise;
    };
    const auto publishes = static_cast<std::uint64_t>(argument(1, 1'000'000));
    const auto writers = static_cast<int>(argument(2, 4)),
               samplers = static_cast<int>(argument(3, 2));
    Ring ring(argument(4, 12));
    std::vector<std::thread> writing, sampling;
    for (int k = 0; k < samplers; ++k) sampling.emplace_back([&, k] { sample(ring, k); });
    for (int k = 0; k < writers; ++k)
        writing.emplace_back(
            [&, k] { write(ring, k, publishes / static_cast<unsigned>(writers)); });
    for (auto& thread : writing) thread.join();
    ring.running = false;
    for (auto& thread : sampling) thread.join();
    const bool right = adds_up(ring);
    std::printf("%llu published, %ld sampled, %llu revoked, %ld torn%s\n",
                static_cast<unsigned long long>(ring.shared.published.value.load()),
                ring.sampled.load(),
                static_cast<unsigned long long>(ring.shared.revoked.value.load()), ring.torn.load(),
                right ? "" : ", counters do not add up");
    return ring.torn.load() > 0 || !right;
}
