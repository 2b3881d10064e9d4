// Memory that kernels use again and again. Fresh pages cost more than small kernels do, so a few
// blocks are kept when they are given back.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pyqmix {

// A block of at least `bytes` bytes, aligned to 64, with whatever it held before. Given back when
// destroyed. Any thread may make or destroy one.
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
    std::size_t bytes_ = 0;  // of the block, at least what was asked for
};

// A block of so many T.
template <typename T>
class Scratch {
   public:
    explicit Scratch(std::int64_t count) : block_(static_cast<std::size_t>(count) * sizeof(T)) {}
    T* data() const { return static_cast<T*>(block_.data()); }

   private:
    Workspace block_;
};

}  // namespace pyqmix
