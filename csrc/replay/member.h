// A writer's or a sampler's place in a ring, given back at the end.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "replay/episode_ring.h"

namespace pyqmix {

class Member {
   public:
    Member(std::shared_ptr<EpisodeRing> ring, Role role)
        : ring_(std::move(ring)),
          role_(role),
          id_(ring_->enter(role)),
          generation_(ring_->generation()) {}
    ~Member() { ring_->leave(role_, id_, generation_); }
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    EpisodeRing& ring() const { return *ring_; }
    const std::shared_ptr<EpisodeRing>& shared_ring() const { return ring_; }
    int id() const { return id_; }

    // False in a process forked after this was made: the place is the parent's.
    bool here() const { return generation_ == ring_->generation(); }
    void require_here() const {
        if (!here())
            throw std::runtime_error(
                std::string(role_ == Role::writer ? "this writer" : "this sampler") +
                " belongs to the process that made it; make one in each process");
    }

   private:
    std::shared_ptr<EpisodeRing> ring_;
    Role role_;
    int id_;
    std::uint64_t generation_;
};

}  // namespace pyqmix
