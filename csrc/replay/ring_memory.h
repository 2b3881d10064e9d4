// The bytes of a ring: private to one process, or an anonymous file (memfd) that its descriptor
// shares with others. The file is allocated for real, open to its user alone (0600), and sealed
// against a change of size, so that no peer can make an access fault.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pyqmix {

class RingMemory {
   public:
    // Zeroed memory of this size. Throws std::bad_alloc if there is too little.
    static RingMemory make(std::int64_t bytes, bool shared);
    // The memory behind another ring's descriptor, which is duplicated. Throws
    // std::invalid_argument if it is not a ring's, std::system_error if the kernel refuses.
    static RingMemory attach(int fd);

    ~RingMemory();
    RingMemory(RingMemory&& other) noexcept;
    RingMemory& operator=(RingMemory&&) = delete;

    std::byte* data() const { return data_; }
    std::int64_t size() const { return size_; }
    int fd() const { return fd_; }  // -1 if private

   private:
    RingMemory(int fd, std::int64_t size) : fd_(fd), size_(size) {}
    void map();

    int fd_;
    std::int64_t size_;
    std::byte* data_ = nullptr;
};

}  // namespace pyqmix
