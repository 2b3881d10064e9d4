// Writers claim, fill, publish or abort; samplers pin, check, unpin. Exits 1 on a torn payload;
// built with -fsanitize=thread it also reports payload accesses that no acquire and release orders.
//
//   g++ -std=c++20 -O1 -g -fsanitize=thread -I csrc tests/cpp/slot_control_stress.cpp -o stress &&
//   ./stress 100000
#include <array>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "replay/slot_control.h"

namespace {

constexpr std::int64_t kSlots = 6;
constexpr int kWriters = 3, kSamplers = 2;

using Payload = std::array<std::uint64_t, 8>;

void write(pyqmix::SlotControl& ring, std::vector<Payload>& payloads, int owner, long rounds) {
    for (long round = 0; round < rounds; ++round) {
        const std::int64_t slot = ring.claim(static_cast<std::uint64_t>(owner));
        if (slot == pyqmix::SlotControl::kBusy) continue;
        const auto value = static_cast<std::uint64_t>(round * kWriters + owner);
        for (auto& word : payloads[static_cast<std::size_t>(slot)]) word = value;
        if (round % 3 == 0)
            ring.abort(slot, static_cast<std::uint64_t>(owner));
        else
            ring.publish(slot, static_cast<std::uint64_t>(owner));
    }
}

void sample(pyqmix::SlotControl& ring, const std::vector<Payload>& payloads, int sampler,
            const std::atomic<bool>& running, std::atomic<long>& torn) {
    for (std::int64_t slot = 0; running.load(); slot = (slot + 1) % kSlots) {
        if (!ring.pin(slot, sampler)) continue;
        const Payload& payload = payloads[static_cast<std::size_t>(slot)];
        for (const auto word : payload)
            if (word != payload[0]) torn.fetch_add(1);
        ring.unpin(slot, sampler);
    }
}

}  // namespace

int main(int, char** argv) {
    const long rounds = std::atol(argv[1]);
    pyqmix::SlotControl ring(kSlots);
    std::vector<Payload> payloads(kSlots);
    std::atomic<bool> running{true};
    std::atomic<long> torn{0};
    std::vector<std::thread> writers, samplers;
    for (int k = 0; k < kSamplers; ++k)
        samplers.emplace_back([&, k] { sample(ring, payloads, k, running, torn); });
    for (int k = 0; k < kWriters; ++k)
        writers.emplace_back([&, k] { write(ring, payloads, k, rounds); });
    for (auto& thread : writers) thread.join();
    running = false;
    for (auto& thread : samplers) thread.join();
    std::printf("%lld published, %lld aborted, %ld torn\n",
                static_cast<long long>(ring.published()), static_cast<long long>(ring.aborted()),
                torn.load());
    return torn.load() > 0;
}
