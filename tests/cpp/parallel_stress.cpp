// Rows split over threads by several callers at once, with pauses in which the workers fall asleep,
// for ThreadSanitizer: run_parallel.sh builds it. Exits 1 if a row is not visited once, or if
// workers that slept do not take part.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "base/parallel.h"

using namespace pyqmix;

namespace {

void pause(int microseconds) {
    std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
}

// Calls with random sizes; whether every row was visited once each time.
bool visits_all(unsigned seed, int calls) {
    std::mt19937 random(seed);
    std::vector<int> visits;
    for (int call = 0; call < calls; ++call) {
        const std::int64_t rows = random() % 3000, grain = 1 + random() % 200;
        const int threads = 1 + static_cast<int>(random() % 4);
        visits.assign(static_cast<std::size_t>(rows), 0);
        const bool slow = random() % 50 == 0;
        parallel_for(rows, threads, grain, [&](std::int64_t begin, std::int64_t end) {
            if (slow) pause(200);  // so long that the caller falls asleep
            for (std::int64_t row = begin; row < end; ++row)
                ++visits[static_cast<std::size_t>(row)];
        });
        for (const int count : visits)
            if (count != 1) return false;
        if (random() % 20 == 0) pause(150);  // and now the workers
    }
    return true;
}

// How many threads do four units behind a pause. A worker takes so long that the caller sleeps.
std::size_t threads_of_a_call() {
    pause(20000);
    std::mutex mutex;
    std::set<std::thread::id> seen;
    const auto caller = std::this_thread::get_id();
    parallel_for(4, 2, 1, [&](std::int64_t, std::int64_t) {
        pause(std::this_thread::get_id() == caller ? 10000 : 60000);
        const std::lock_guard lock(mutex);
        seen.insert(std::this_thread::get_id());
    });
    return seen.size();
}

}  // namespace

int main(int argc, char** argv) {
    const int calls = argc > 1 ? std::atoi(argv[1]) : 5000;
    std::atomic<bool> whole{true};
    std::vector<std::thread> callers;
    for (unsigned seed = 0; seed < 3; ++seed)
        callers.emplace_back([&, seed] {
            if (!visits_all(seed, calls)) whole = false;
        });
    for (std::thread& caller : callers) caller.join();
    if (!whole) return std::puts("a row was not visited once"), 1;
    if (!visits_all(7, calls)) return std::puts("a row was not visited once by a caller alone"), 1;
    for (int k = 0; k < 5; ++k)
        if (threads_of_a_call() != 2) return std::puts("a worker that slept took no part"), 1;
    std::printf("%d calls of each of 3 callers at once, and of one alone\n", calls);
    return 0;
}
