// The slot machine under Relacy's memory model: every interleaving that it draws, with loads that
// may read old values, and payload accesses that no acquire and release orders reported as races.
// It runs slot_machine.h itself; first as it is, then with each memory order weakened to relaxed,
// which at least one scenario must catch. Exits 1 otherwise.
//
//   slot_model SCHEDULES
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <utility>

#include "replay/slot_machine.h"
// Relacy defines the standard names of memory orders as macros: after them, and without those.
#include <relacy/relacy.hpp>
#undef memory_order_relaxed
#undef memory_order_consume
#undef memory_order_acquire
#undef memory_order_release
#undef memory_order_acq_rel
#undef memory_order_seq_cst

using namespace pyqmix;

namespace {

enum class Weak { nothing, claim, publish, abort, pin, unpin, revoke, clear_pin, count };
const char* const kNames[] = {"nothing", "claim", "publish", "abort",
                              "pin",     "unpin", "revoke",  "clear_pin"};

template <Weak weak>
struct Orders : SlotOrders {
    static constexpr std::memory_order but(Weak order, std::memory_order proven) {
        return order == weak ? std::memory_order_relaxed : proven;
    }
    static constexpr std::memory_order claim = but(Weak::claim, SlotOrders::claim),
                                       publish = but(Weak::publish, SlotOrders::publish),
                                       abort = but(Weak::abort, SlotOrders::abort),
                                       pin = but(Weak::pin, SlotOrders::pin),
                                       unpin = but(Weak::unpin, SlotOrders::unpin),
                                       revoke = but(Weak::revoke, SlotOrders::revoke),
                                       clear_pin = but(Weak::clear_pin, SlotOrders::clear_pin);
};

rl::memory_order model_order(std::memory_order order) {
    switch (order) {
        case std::memory_order_acquire:
            return rl::mo_acquire;
        case std::memory_order_release:
            return rl::mo_release;
        default:
            return rl::mo_relaxed;
    }
}

struct Word {
    rl::atomic<std::uint64_t> value;

    std::uint64_t load(std::memory_order order) { return value.load(model_order(order), $); }
    bool compare_exchange_weak(std::uint64_t& expected, std::uint64_t desired,
                               std::memory_order order, std::memory_order) {
        return value.compare_exchange(rl::bool_t<true>(), expected, desired, model_order(order),
                                      rl::mo_relaxed, $);
    }
    bool compare_exchange_strong(std::uint64_t& expected, std::uint64_t desired,
                                 std::memory_order order, std::memory_order) {
        return value.compare_exchange(rl::bool_t<false>(), expected, desired, model_order(order),
                                      rl::mo_relaxed, $);
    }
    std::uint64_t fetch_and(std::uint64_t mask, std::memory_order order) {
        return value.rmw(rl::rmw_type_t<rl::rmw_type_and>(), mask, model_order(order), $);
    }
};

template <Weak weak>
struct Slot {
    Word word;
    rl::var<int> first, second;

    void reset() {
        word.value.store(0, rl::mo_relaxed, $);
        first($) = 0;
        second($) = 0;
    }
    SlotMachine<Word, Orders<weak>> machine() { return SlotMachine<Word, Orders<weak>>(word); }
    void fill(int value) {
        first($) = value;
        second($) = value;
    }
    void check() { RL_ASSERT(int(first($)) == int(second($))); }
};

bool got(Claim claim) { return claim == Claim::empty || claim == Claim::overwrote; }

// W writers and S samplers on N slots; each writer aborts one of its three episodes.
template <Weak weak, int W, int S, int N>
struct Ring : rl::test_suite<Ring<weak, W, S, N>, W + S> {
    Slot<weak> slots[N];

    void before() {
        for (auto& slot : slots) slot.reset();
    }
    void thread(unsigned index) {
        const int me = static_cast<int>(index);
        if (me < W)
            for (int round = 0; round < 3; ++round) write(me, slots[(me + round) % N], round);
        else
            for (int round = 0; round < 2 * N; ++round) sample(me - W, slots[(me + round) % N]);
    }
    static void write(int id, Slot<weak>& slot, int round) {
        std::uint64_t seen;
        if (!got(slot.machine().claim(id, seen))) return;
        slot.fill(10 * id + round);
        RL_ASSERT(round == id % 3 ? slot.machine().abort(id) : slot.machine().publish(id));
    }
    static void sample(int id, Slot<weak>& slot) {
        if (!slot.machine().pin(id)) return;
        slot.check();
        slot.machine().unpin(id);
    }
};

// A writer and a sampler die with what they hold; one writer reaps them, another one just claims.
// The kernel's lock on a holder's byte is a mutex: whoever proves a death acquired the dead's life.
template <Weak weak>
struct Takeover : rl::test_suite<Takeover<weak>, 5> {
    Slot<weak> slot;
    rl::mutex lock;
    rl::var<int> writer_dead, sampler_dead;

    void before() {
        slot.reset();
        writer_dead($) = 0;
        sampler_dead($) = 0;
    }
    void thread(unsigned index) {
        std::uint64_t seen;
        switch (index) {
            case 0:
                if (got(slot.machine().claim(0, seen))) slot.fill(1);
                return die(writer_dead);
            case 1:
                if (slot.machine().pin(0)) slot.check();
                return die(sampler_dead);
            case 2:
                return write(2, true);
            case 3:
                return write(3, false);
            default:
                if (!slot.machine().pin(1)) return;
                slot.check();
                slot.machine().unpin(1);
        }
    }
    void write(int id, bool reaps) {
        for (int round = 0; round < 3; ++round) {
            std::uint64_t seen;
            if (got(slot.machine().claim(id, seen))) {
                slot.fill(10 * id + round);
                RL_ASSERT(slot.machine().publish(id));
            } else if (reaps) {
                reap();
            }
        }
    }
    void die(rl::var<int>& dead) {
        lock.lock($);
        dead($) = 1;
        lock.unlock($);
    }
    void reap() {
        lock.lock($);
        if (writer_dead($)) slot.machine().revoke(0);
        if (sampler_dead($)) slot.machine().clear_pin(0);
        lock.unlock($);
    }
};

template <typename Scenario>
bool survives(long schedules, bool tell = false) {
    std::ofstream nothing("/dev/null");  // opened here: Relacy counts what is allocated within
    rl::test_params params;
    params.iteration_count = static_cast<rl::iteration_t>(schedules);
    params.execution_depth_limit = 10'000;
    params.output_stream = tell ? &std::cout : &nothing;
    params.progress_stream = &nothing;
    return rl::simulate<Scenario>(params);
}

template <Weak weak>
bool caught(long schedules) {
    const bool one = !survives<Ring<weak, 2, 2, 1>>(schedules);
    const bool two = !survives<Ring<weak, 3, 2, 2>>(schedules);
    const bool takeover = !survives<Takeover<weak>>(schedules);
    std::printf("%-9s weakened: %s (2 + 2 on 1: %s, 3 + 2 on 2: %s, takeover: %s)\n",
                kNames[static_cast<int>(weak)], one || two || takeover ? "caught" : "NOT CAUGHT",
                one ? "race" : "-", two ? "race" : "-", takeover ? "race" : "-");
    return one || two || takeover;
}

template <std::size_t... k>
bool all_caught(long schedules, std::index_sequence<k...>) {
    return (caught<static_cast<Weak>(k + 1)>(schedules) & ...);
}

template <typename Scenario>
bool holds(const char* name, long schedules) {
    const bool right = survives<Scenario>(schedules, true);
    std::printf("%s, %ld schedules: %s\n", name, schedules, right ? "0 faults" : "FAULT");
    std::fflush(stdout);
    return right;
}

}  // namespace

int main(int count, char** arguments) {
    const long schedules = count > 1 ? std::atol(arguments[1]) : 100'000;
    // A fault shows within some thousand schedules; the search ends there.
    bool right =
        all_caught(100'000, std::make_index_sequence<static_cast<std::size_t>(Weak::count) - 1>());
    right &= holds<Ring<Weak::nothing, 2, 2, 1>>("2 writers + 2 samplers on 1 slot", schedules);
    right &= holds<Ring<Weak::nothing, 3, 2, 2>>("3 writers + 2 samplers on 2 slots", schedules);
    right &= holds<Takeover<Weak::nothing>>("takeover from the dead", schedules);
    return right ? 0 : 1;
}
