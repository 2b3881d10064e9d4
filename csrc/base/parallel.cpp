#include "base/parallel.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

namespace pyqmix {
namespace {

using Body = std::function<void(std::int64_t, std::int64_t)>;

void pause_briefly() {
#if defined(__x86_64__)
    for (int k = 0; k < 16; ++k) __builtin_ia32_pause();
#endif
}

// Polls `ready` without sleeping, for about the time between jobs that follow each other; returns
// whether it became true. Yields the core, because the thread that it waits for may need it.
template <typename Ready>
bool comes_soon(const Ready& ready) {
    constexpr std::chrono::microseconds kSoon(60);
    const auto begin = std::chrono::steady_clock::now();
    for (;;) {
        for (int k = 0; k < 8; ++k) {
            if (ready()) return true;
            pause_briefly();
        }
        if (std::chrono::steady_clock::now() - begin > kSoon) return false;
        std::this_thread::yield();
    }
}

// The units [first, last) of a job that no thread has taken, in one word that threads change by
// compare-and-swap. The caller takes units from the front and workers take them from the back, so
// that each of two threads gets the same rows in every job, and a late thread takes fewer. The
// job's number makes words of different jobs differ.
struct Units {
    std::uint32_t job = 0;
    std::uint16_t first = 0, last = 0;
};

class Pool {
   public:
    // One job at a time; the caller holds `in_use` while it runs.
    std::mutex in_use;

    void run(std::int64_t rows, int threads, std::int64_t units, const Body& body) {
        grow(threads - 1);
        body_ = &body;
        rows_ = rows;
        units_ = units;
        pending_.store(units, std::memory_order_relaxed);
        threads_.store(threads, std::memory_order_relaxed);
        left_.store(
            {left_.load(std::memory_order_relaxed).job + 1, 0, static_cast<std::uint16_t>(units)});
        wake(threads - 1);
        work_on(left_.load(std::memory_order_relaxed).job, true);
        const auto done = [&] { return pending_.load() == 0; };
        if (comes_soon(done)) return;
        std::unique_lock lock(mutex_);
        caller_sleeps_.store(true);
        done_.wait(lock, done);
        caller_sleeps_.store(false);
    }

   private:
    struct Worker {
        std::condition_variable called;
        std::atomic<bool> sleeps{false};
    };

    // Does units of a job until all are taken.
    void work_on(std::uint32_t job, bool from_front) {
        Units left = left_.load();
        while (left.job == job && left.first < left.last) {
            Units after = left;
            const std::int64_t unit = from_front ? after.first++ : --after.last;
            if (!left_.compare_exchange_weak(left, after)) continue;
            // The job cannot end before this unit does, so its description stays valid.
            const std::int64_t begin = rows_ * unit / units_, end = rows_ * (unit + 1) / units_;
            if (begin < end) (*body_)(begin, end);
            if (pending_.fetch_sub(1) == 1 && caller_sleeps_.load()) end_of_waiting();
            left = left_.load();
        }
    }

    // A thread that has seen the old state and is about to sleep does so before the mutex is free.
    void end_of_waiting() {
        std::unique_lock(mutex_).unlock();
        done_.notify_all();
    }

    // Wakes the first workers. Those beyond sleep on, so that a job for few threads costs the same
    // whether there were jobs for many.
    void wake(int count) {
        const auto end = workers_.begin() + count;
        const auto sleeps = [](const Worker& worker) { return worker.sleeps.load(); };
        if (std::none_of(workers_.begin(), end, sleeps)) return;
        std::unique_lock(mutex_).unlock();
        std::for_each(workers_.begin(), end, [](Worker& worker) { worker.called.notify_one(); });
    }

    void grow(int workers) {
        while (static_cast<int>(workers_.size()) < workers) {
            const int index = static_cast<int>(workers_.size()) + 1;
            const std::uint32_t seen = left_.load(std::memory_order_relaxed).job;
            Worker& worker = workers_.emplace_back();
            // Workers live as long as the process.
            std::thread([this, &worker, index, seen] { serve(worker, index, seen); }).detach();
        }
    }

    void serve(Worker& self, int index, std::uint32_t seen) {
        const auto next = [&] { return left_.load().job != seen; };
        const auto is_wanted = [&] { return index < threads_.load(std::memory_order_relaxed); };
        for (bool wanted = false;;) {
            if (!wanted || !comes_soon(next)) {
                std::unique_lock lock(mutex_);
                self.sleeps.store(true);
                self.called.wait(lock, [&] { return next() && is_wanted(); });
                self.sleeps.store(false);
            }
            seen = left_.load().job;
            wanted = is_wanted();
            if (wanted) work_on(seen, false);
        }
    }

    std::mutex mutex_;
    std::condition_variable done_;
    std::deque<Worker> workers_;  // none moves, as each is read by its thread
    const Body* body_ = nullptr;
    std::int64_t rows_ = 0, units_ = 0;
    alignas(64) std::atomic<Units> left_{Units{}};
    std::atomic<int> threads_{0};
    std::atomic<std::int64_t> pending_{0};
    std::atomic<bool> caller_sleeps_{false};
};

std::atomic<Pool*> current_pool{nullptr};

// Threads do not survive a fork: the child starts without a pool and leaves the parent's memory
// alone.
[[maybe_unused]] const int forget_in_child =
    pthread_atfork(nullptr, nullptr, [] { current_pool.store(nullptr); });

// Never destroyed, because detached workers may outlive static destruction.
Pool& pool() {
    Pool* existing = current_pool.load();
    if (existing == nullptr) {
        auto fresh = std::make_unique<Pool>();
        if (current_pool.compare_exchange_strong(existing, fresh.get())) existing = fresh.release();
    }
    return *existing;
}

}  // namespace

void parallel_for(std::int64_t rows, int threads, std::int64_t grain, const Body& body) {
    if (rows <= 0) return;
    // Several units for each thread, so that a late or slow thread does fewer.
    constexpr std::int64_t kUnitsOfThread = 4, kMostThreads = 1024;
    const std::int64_t most = std::max<std::int64_t>(1, rows / std::max<std::int64_t>(1, grain));
    const std::int64_t parts = std::min({std::int64_t{std::max(1, threads)}, most, kMostThreads});
    if (parts > 1) {
        Pool& shared = pool();
        std::unique_lock lock(shared.in_use, std::try_to_lock);
        const std::int64_t units = std::min(kUnitsOfThread * parts, most);
        if (lock.owns_lock()) return shared.run(rows, static_cast<int>(parts), units, body);
    }
    body(0, rows);
}

}  // namespace pyqmix
