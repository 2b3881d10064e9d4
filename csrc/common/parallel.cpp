#include "common/parallel.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace pyqmix {
namespace {

using Body = std::function<void(std::int64_t, std::int64_t)>;

class Pool {
   public:
    // One job at a time; the caller holds `in_use` while it runs.
    std::mutex in_use;

    void run(std::int64_t rows, int parts, const Body& body) {
        grow(parts - 1);
        {
            std::lock_guard lock(mutex_);
            body_ = &body;
            rows_ = rows;
            parts_ = parts;
            pending_ = parts - 1;
            ++job_;
        }
        wake_.notify_all();
        run_part(rows, parts, 0, body);
        std::unique_lock lock(mutex_);
        done_.wait(lock, [&] { return pending_ == 0; });
    }

   private:
    static void run_part(std::int64_t rows, int parts, int part, const Body& body) {
        const std::int64_t begin = rows * part / parts;
        const std::int64_t end = rows * (part + 1) / parts;
        if (begin < end) body(begin, end);
    }

    void grow(int workers) {
        while (static_cast<int>(workers_.size()) < workers) {
            const int part = static_cast<int>(workers_.size()) + 1;
            std::uint64_t seen;
            {
                std::lock_guard lock(mutex_);
                seen = job_;
            }
            workers_.emplace_back([this, part, seen] { work(part, seen); });
            workers_.back().detach();  // workers live as long as the process
        }
    }

    void work(int part, std::uint64_t seen) {
        std::unique_lock lock(mutex_);
        for (;;) {
            wake_.wait(lock, [&] { return job_ != seen; });
            seen = job_;
            if (part >= parts_) continue;
            const Body& body = *body_;
            const std::int64_t rows = rows_;
            const int parts = parts_;
            lock.unlock();
            run_part(rows, parts, part, body);
            lock.lock();
            if (--pending_ == 0) done_.notify_one();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_, done_;
    std::vector<std::thread> workers_;
    const Body* body_ = nullptr;
    std::int64_t rows_ = 0;
    int parts_ = 0;
    int pending_ = 0;
    std::uint64_t job_ = 0;
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
    const std::int64_t most = std::max<std::int64_t>(1, rows / std::max<std::int64_t>(1, grain));
    const int parts = static_cast<int>(std::min<std::int64_t>(std::max(1, threads), most));
    if (parts > 1) {
        Pool& shared = pool();
        std::unique_lock lock(shared.in_use, std::try_to_lock);
        if (lock.owns_lock()) return shared.run(rows, parts, body);
    }
    body(0, rows);
}

}  // namespace pyqmix
