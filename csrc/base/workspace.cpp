#include "base/workspace.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace pyqmix {
namespace {

constexpr std::size_t kAlignment = 64;
#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kKept = 0;  // a kept block larger than requested would hide overflows
#else
constexpr std::size_t kKept = 16;
#endif

struct Block {
    void* data;
    std::size_t bytes;
};

struct Pool {
    std::mutex mutex;
    std::vector<Block> free;  // the longest unused comes first
};

// Never destroyed, because a block may be released while the process ends.
Pool& pool() {
    static Pool* const shared = new Pool;
    return *shared;
}

void* allocate(std::size_t bytes) {
    void* const data = ::operator new(bytes, std::align_val_t{kAlignment});
    // Large blocks are read from end to end: huge pages avoid misses of the address translation.
    constexpr std::uintptr_t kHuge = 2 << 20;
    const auto begin = (reinterpret_cast<std::uintptr_t>(data) + kHuge - 1) / kHuge * kHuge;
    const auto end = (reinterpret_cast<std::uintptr_t>(data) + bytes) / kHuge * kHuge;
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
    return data;
}
void release(void* data) { ::operator delete(data, std::align_val_t{kAlignment}); }

}  // namespace

Workspace::Workspace(std::size_t bytes) {
    bytes = std::max<std::size_t>((bytes + kAlignment - 1) / kAlignment * kAlignment, kAlignment);
    {
        std::lock_guard lock(pool().mutex);
        auto& free = pool().free;
        // The smallest block that is large enough, but at most twice the size.
        auto best = free.end();
        for (auto block = free.begin(); block != free.end(); ++block)
            if (block->bytes >= bytes && block->bytes <= 2 * bytes &&
                (best == free.end() || block->bytes < best->bytes))
                best = block;
        if (best != free.end()) {
            data_ = best->data;
            bytes_ = best->bytes;
            free.erase(best);
            return;
        }
    }
    data_ = allocate(bytes);
    bytes_ = bytes;
}

Workspace::~Workspace() {
    if (!data_) return;
    void* surplus = nullptr;
    {
        std::lock_guard lock(pool().mutex);
        auto& free = pool().free;
        free.push_back({data_, bytes_});
        if (free.size() > kKept) {
            surplus = free.front().data;
            free.erase(free.begin());
        }
    }
    if (surplus) release(surplus);
}

Workspace::Workspace(Workspace&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}

Workspace& Workspace::operator=(Workspace&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

}  // namespace pyqmix
