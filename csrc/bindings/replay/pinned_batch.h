// A sampler as Python sees it: holds at most one batch at a time. Used from one thread at a time: a
// call during another thread's is refused with std::runtime_error.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "bindings/arrays.h"
#include "bindings/exclusive.h"
#include "bindings/replay/ring.h"

namespace pyqmix {

class PinnedBatch {
   public:
    explicit PinnedBatch(std::shared_ptr<EpisodeRing> ring)
        : member_(std::move(ring), Role::sampler) {}
    virtual ~PinnedBatch() {
        if (member_.here()) ring().unpin(member_.id(), slots_);
    }
    PinnedBatch(const PinnedBatch&) = delete;
    PinnedBatch& operator=(const PinnedBatch&) = delete;

    // Pins `batch` episodes and returns their lengths; fewer when no more could be had.
    py::array_t<std::int64_t> pin(std::int64_t batch);

    // Where the batch's episodes lie: (B, 2), slots and generations.
    py::array_t<std::int64_t> places() const;

    // Fills arrays whose shapes are those of BatchOut, with the whole batch or some rows of it, and
    // room for at least as many steps as the longest of them has.
    void decode(const py::array& obs, const py::array& avail, const py::object& state,
                const py::array& actions, const py::array& rewards, const py::array& terminated,
                const py::object& rows);

    void release();

    // All that the next draws depend on, besides what the ring holds: arrays by their names.
    py::dict state() const;
    // Takes up a state(). Throws std::invalid_argument, and changes nothing, if it is none.
    void load_state(const py::dict& state);

   protected:
    // Pins up to `batch` slots of the ring for this sampler and appends them.
    virtual void choose(EpisodeRing& ring, int sampler, std::int64_t batch,
                        std::vector<std::int64_t>& slots) = 0;
    virtual py::dict state_of_draws() const = 0;
    virtual void load_draws(const py::dict& state) = 0;

    InUse::Lock alone() const { return InUse::Lock(in_use_, "this sampler"); }

   private:
    EpisodeRing& ring() const { return member_.ring(); }
    std::vector<std::int64_t> slots_at(const py::array& rows) const;

    Member member_;
    std::vector<std::int64_t> slots_;
    mutable InUse in_use_;
};

}  // namespace pyqmix
