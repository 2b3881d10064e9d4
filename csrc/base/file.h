// A file that is read or written from its beginning to its end.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

namespace pyqmix {

// The kernel refused something about a file.
class FileError : public std::system_error {
   public:
    explicit FileError(std::string path)
        : std::system_error(errno, std::generic_category(), path), path_(std::move(path)) {}
    const std::string& path() const { return path_; }

   private:
    std::string path_;
};

// Every function throws FileError. One thread at a time.
class File {
   public:
    // Not blocking, because the path may lead to a pipe that nobody writes.
    static File to_read(const std::string& path) {
        return File(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    }
    static File to_write(const std::string& path) {
        return File(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC);
    }
    ~File() { close(fd_); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    // Bytes; -1 if it is no regular file.
    std::int64_t size() const {
        struct stat file{};
        if (fstat(fd_, &file) != 0) refuse();
        return S_ISREG(file.st_mode) ? std::int64_t{file.st_size} : -1;
    }
    // False at the end of the file.
    bool read(void* to, std::int64_t size) {
        auto* bytes = static_cast<std::byte*>(to);
        while (size > 0) {
            const ssize_t got = ::read(fd_, bytes, static_cast<std::size_t>(size));
            if (got < 0 && errno != EINTR) refuse();
            if (got == 0) return false;
            if (got > 0) bytes += got, size -= got;
        }
        return true;
    }
    void write(const void* from, std::int64_t size) {
        const auto* bytes = static_cast<const std::byte*>(from);
        while (size > 0) {
            const ssize_t put = ::write(fd_, bytes, static_cast<std::size_t>(size));
            if (put < 0 && errno != EINTR) refuse();
            if (put > 0) bytes += put, size -= put;
        }
    }
    void rewind() {
        if (lseek(fd_, 0, SEEK_SET) != 0) refuse();
    }

   private:
    File(const std::string& path, int flags) : path_(path), fd_(open(path.c_str(), flags, 0666)) {
        if (fd_ < 0) refuse();
    }
    [[noreturn]] void refuse() const { throw FileError(path_); }

    std::string path_;
    int fd_;
};

}  // namespace pyqmix
