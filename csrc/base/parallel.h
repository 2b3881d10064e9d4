// Splits a range of rows over threads. Callable from any thread, and after a fork.
#pragma once

#include <cstdint>
#include <functional>

namespace pyqmix {

// Calls body(begin, end) on disjoint parts that cover [0, rows), on at most `threads` threads (the
// caller's is one of them) with at least `grain` rows each, and returns when all are done. If the
// workers are busy with another call, the caller does all rows itself instead of waiting. It does
// not wait for workers that have not started either, because no part is assigned to a thread in
// advance. body must not throw.
void parallel_for(std::int64_t rows, int threads, std::int64_t grain,
                  const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace pyqmix
