// Splits a range of rows over threads. Callable from any thread, and after a fork.
#pragma once

#include <cstdint>
#include <functional>

namespace pyqmix {

// Calls body(begin, end) on disjoint parts that cover [0, rows), on at most `threads` threads (the
// caller's is one of them) with at least `grain` rows each, and returns when all are done. A call
// that finds the workers busy with another caller's rows runs alone: it never waits for them. Nor
// does it wait for a worker that has not begun: a thread may be given several parts, none is given
// a fixed one. body must not throw.
void parallel_for(std::int64_t rows, int threads, std::int64_t grain,
                  const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace pyqmix
