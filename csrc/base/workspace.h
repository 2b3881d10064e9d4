// Memory that kernels reuse. Fresh pages cost more time than small kernels, so a few released
// blocks are kept.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pyqmix {

// An uninitialised block of at least `bytes` bytes, aligned to 64. The destructor releases it. Any
// thread may construct or destroy one.
class Workspace {
   public:
    Workspace() = default;
    explicit Workspace(std::size_t bytes);
    ~Workspace();
    Workspace(Workspace&& other) noexcept;
    Workspace& operator=(Workspace&& other) noexcept;

    void* data() const { return data_; }
    std::size_t bytes() const { return bytes_; }

   private:
    void* data_ = nullptr;
    std::size_t bytes_ = 0;  // of the block, at least as many as requested
};

// An uninitialised block of `count` T.
template <typename T>
class Scratch {
   public:
    explicit Scratch(std::int64_t count) : block_(static_cast<std::size_t>(count) * sizeof(T)) {}
    T* data() const { return static_cast<T*>(block_.data()); }

   private:
    Workspace block_;
};

}  // namespace pyqmix
