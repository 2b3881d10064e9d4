// One caller at a time, where the GIL is released: a second one gets an error, not a race.
#pragma once

#include <atomic>
#include <stdexcept>
#include <string>

namespace pyqmix {

class InUse {
   public:
    class Lock {
       public:
        Lock(InUse& use, const char* what) : use_(use) {
            if (use_.taken_.exchange(true, std::memory_order_acquire))
                throw std::runtime_error(std::string(what) +
                                         ": another thread is using it; make one for each thread");
        }
        ~Lock() { use_.taken_.store(false, std::memory_order_release); }
        Lock(const Lock&) = delete;
        Lock& operator=(const Lock&) = delete;

       private:
        InUse& use_;
    };

   private:
    std::atomic<bool> taken_{false};
};

}  // namespace pyqmix
