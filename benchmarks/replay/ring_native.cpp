// Publishes LBF-size episodes from C++; prints one JSON object: episodes a second.
//
//   ring_native ROUNDS
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "replay/member.h"

using namespace pyqmix;

namespace {

constexpr std::int64_t kSteps = 51, kAgents = 2, kObs = 15, kActions = 6, kCapacity = 5000;

// One episode as an environment has it, in the types of a batch.
struct Source {
    std::vector<float> obs = std::vector<float>((kSteps + 1) * kAgents * kObs);
    std::unique_ptr<bool[]> avail = std::make_unique<bool[]>((kSteps + 1) * kAgents * kActions);
    std::vector<std::int64_t> actions = std::vector<std::int64_t>(kSteps * kAgents);
    std::vector<float> rewards = std::vector<float>(kSteps);
    std::unique_ptr<bool[]> terminated = std::make_unique<bool[]>(kSteps);

    Source() {
        for (std::size_t k = 0; k < obs.size(); ++k) obs[k] = static_cast<float>(k % 9) - 1;
        for (std::size_t k = 0; k < actions.size(); ++k) actions[k] = static_cast<int>(k % 6);
    }
    EpisodeIn in() const {
        return {kSteps,
                {obs.data(), avail.get(), nullptr},
                actions.data(),
                rewards.data(),
                terminated.get()};
    }
};

template <typename Body>
double per_second(long rounds, Body&& body) {
    const auto start = std::chrono::steady_clock::now();
    for (long k = 0; k < rounds; ++k) body(k);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    return static_cast<double>(rounds) / took.count();
}

double publish(const std::shared_ptr<EpisodeRing>& ring, long rounds) {
    const Source source;
    const Member writer(ring, Role::writer);
    return per_second(rounds, [&](long) {
        const std::int64_t slot = ring->claim(writer.id());
        ring->write_episode(slot, source.in());
        if (!ring->control().publish(slot, writer.id())) std::abort();
    });
}

// The same bytes, as a batch has them, to the next place of a buffer.
double copy(long rounds) {
    const Source source;
    const auto in = source.in();
    const std::size_t sizes[] = {source.obs.size() * 4, (kSteps + 1) * kAgents * kActions,
                                 source.actions.size() * 8, kSteps * 4, kSteps};
    const void* const from[] = {in.points.obs, in.points.avail, in.actions, in.rewards,
                                in.terminated};
    std::size_t total = 0;
    for (const std::size_t size : sizes) total += size;
    std::vector<char> to(total * kCapacity);
    return per_second(rounds, [&](long k) {
        char* at = to.data() + static_cast<std::size_t>(k % kCapacity) * total;
        for (std::size_t field = 0; field < 5; ++field) {
            std::memcpy(at, from[field], sizes[field]);
            at += sizes[field];
        }
    });
}

double publish_from(int threads, const std::shared_ptr<EpisodeRing>& ring, long rounds) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> writers;
    for (int k = 0; k < threads; ++k)
        writers.emplace_back([&] { publish(ring, rounds / threads); });
    for (std::thread& writer : writers) writer.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    return static_cast<double>(rounds / threads * threads) / took.count();
}

}  // namespace

int main(int count, char** arguments) {
    const long rounds = count > 1 ? std::atol(arguments[1]) : 200'000;
    const EpisodeSpec spec{kAgents, kActions, kObs, 0, kSteps, Storage::int8, Storage::int8};
    const auto ring = std::make_shared<EpisodeRing>(spec, kCapacity, true);
    publish(ring, kCapacity);
    copy(kCapacity);
    std::printf("{\"memcpy\": %.0f, ", copy(rounds));
    std::printf("\"publish\": %.0f, ", publish(ring, rounds));
    for (const int threads : {1, 2, 4})
        std::printf("\"%d\": %.0f%s", threads, publish_from(threads, ring, rounds),
                    threads == 4 ? "}\n" : ", ");
}
