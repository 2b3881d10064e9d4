// A ring as Python holds it: with the ids of its writers and samplers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "replay/episode_ring.h"

namespace pyqmix {

// Gives out the smallest free id of a fixed number.
class Ids {
   public:
    explicit Ids(int count) : used_(static_cast<std::size_t>(count)) {}
    int take(const char* what) {
        std::lock_guard lock(mutex_);
        for (std::size_t id = 0; id < used_.size(); ++id)
            if (!used_[id]) {
                used_[id] = true;
                return static_cast<int>(id);
            }
        throw std::runtime_error(std::string(what) + ": at most " + std::to_string(used_.size()) +
                                 " at a time, and all are in use");
    }
    void give_back(int id) {
        std::lock_guard lock(mutex_);
        used_[static_cast<std::size_t>(id)] = false;
    }

   private:
    std::mutex mutex_;
    std::vector<bool> used_;
};

struct Ring {
    Ring(const EpisodeSpec& spec, std::int64_t capacity)
        : ring(spec, capacity),
          writers(SlotControl::kMaxWriters),
          samplers(SlotControl::kMaxSamplers) {}
    EpisodeRing ring;
    Ids writers, samplers;
};

// A writer's id, given back at the end.
class WriterId {
   public:
    explicit WriterId(std::shared_ptr<Ring> ring)
        : ring_(std::move(ring)), id_(ring_->writers.take("writers")) {}
    ~WriterId() { ring_->writers.give_back(id_); }
    WriterId(const WriterId&) = delete;
    WriterId& operator=(const WriterId&) = delete;

    EpisodeRing& ring() const { return ring_->ring; }
    std::uint64_t id() const { return static_cast<std::uint64_t>(id_); }

   private:
    std::shared_ptr<Ring> ring_;
    int id_;
};

}  // namespace pyqmix
