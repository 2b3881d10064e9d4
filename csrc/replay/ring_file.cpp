#include "replay/ring_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "replay/checksum.h"

namespace pyqmix {
namespace {

static_assert(std::endian::native == std::endian::little, "the file's numbers are little-endian");
constexpr char kMagic[8] = {'p', 'y', 'q', 'm', 'i', 'x', 'R', '1'};

class File {
   public:
    File(const std::string& path, int flags) : path_(path), fd_(open(path.c_str(), flags, 0600)) {
        if (fd_ < 0) refuse();
    }
    ~File() { close(fd_); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    std::int64_t size() const {
        struct stat file{};
        if (fstat(fd_, &file) != 0) refuse();
        if (!S_ISREG(file.st_mode)) throw RingFileError("expected a file");
        return file.st_size;
    }
    void read(void* to, std::int64_t size) {
        auto* bytes = static_cast<std::byte*>(to);
        while (size > 0) {
            const ssize_t got = ::read(fd_, bytes, static_cast<std::size_t>(size));
            if (got < 0 && errno != EINTR) refuse();
            if (got == 0) throw RingFileError("the file became shorter while it was read");
            if (got > 0) bytes += got, size -= got;
        }
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
    void sync() {
        if (fsync(fd_) != 0) refuse();
    }

   private:
    [[noreturn]] void refuse() const {
        throw std::system_error(errno, std::generic_category(), path_);
    }

    std::string path_;
    int fd_;
};

std::uint64_t checksum_of_head(const RingFileHead& head) {
    return checksum_of(&head, offsetof(RingFileHead, head_checksum));
}

RingFileInfo read_head(File& file) {
    const std::int64_t size = file.size();
    if (size < std::int64_t{sizeof(RingFileHead)})
        throw RingFileError("expected a saved ring, got " + std::to_string(size) +
                            " bytes, fewer than its head has");
    RingFileHead head;
    file.read(&head, sizeof head);
    return parse_ring_file(head, size);
}

void require_body(const Checksum& checksum, const RingFileInfo& info) {
    if (checksum.value() != info.body_checksum)
        throw RingFileError("the checksum of the episodes is wrong: the file is damaged");
}

}  // namespace

RingFileInfo parse_ring_file(const RingFileHead& head, std::int64_t file_bytes) {
    if (std::memcmp(head.magic, kMagic, sizeof kMagic) != 0)
        throw RingFileError("expected a saved ring, got a file of another kind or version");
    if (head.head_checksum != checksum_of_head(head))
        throw RingFileError("the checksum of the head is wrong: the file is damaged");
    try {
        const RingFileInfo info{checked_spec(head.spec), head.spec.capacity, head.episodes,
                                head.body_checksum};
        const EpisodeLayout layout(info.spec);
        EpisodeRing::bytes_for(layout, info.capacity);  // must not overflow
        if (info.episodes < 0 || info.episodes > info.capacity)
            throw RingFileError("expected 0 to " + std::to_string(info.capacity) +
                                " episodes, got " + std::to_string(info.episodes));
        const std::int64_t expected =
            checked_add(sizeof(RingFileHead), checked_mul(layout.bytes, info.episodes));
        if (file_bytes != expected)
            throw RingFileError("expected " + std::to_string(expected) + " bytes, got " +
                                std::to_string(file_bytes));
        return info;
    } catch (const std::logic_error& error) {
        throw RingFileError(error.what());
    } catch (const std::overflow_error& error) {
        throw RingFileError(error.what());
    }
}

RingFileInfo verify_ring_file(const std::string& path) {
    File file(path, O_RDONLY | O_CLOEXEC);
    const RingFileInfo info = read_head(file);
    Checksum checksum;
    std::array<std::byte, 1 << 16> buffer;
    for (std::int64_t left = EpisodeLayout(info.spec).bytes * info.episodes; left > 0;) {
        const auto size = std::min<std::int64_t>(left, buffer.size());
        file.read(buffer.data(), size);
        checksum.add(buffer.data(), static_cast<std::size_t>(size));
        left -= size;
    }
    require_body(checksum, info);
    return info;
}

std::int64_t save_ring(EpisodeRing& ring, int sampler, const std::string& path) {
    File file(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC);
    SlotControl& control = ring.control();
    RingFileHead head{};
    file.write(&head, sizeof head);  // invalid until the file is whole
    Checksum checksum;
    std::vector<std::byte> image(static_cast<std::size_t>(ring.layout().bytes));
    const std::int64_t touched = control.touched(), oldest = control.next_slot();
    for (std::int64_t k = 0; k < control.capacity(); ++k) {
        const std::int64_t slot = (oldest + k) % control.capacity();
        if (slot >= touched || !control.pin(slot, sampler)) continue;
        ring.copy_image(slot, image.data());
        control.unpin(slot, sampler);
        checksum.add(image.data(), image.size());
        file.write(image.data(), static_cast<std::int64_t>(image.size()));
        ++head.episodes;
    }
    std::memcpy(head.magic, kMagic, sizeof kMagic);
    head.spec = stored(ring.layout().spec, control.capacity());
    head.body_checksum = checksum.value();
    head.head_checksum = checksum_of_head(head);
    file.rewind();
    file.write(&head, sizeof head);
    file.sync();
    return head.episodes;
}

void load_ring(EpisodeRing& ring, int writer, const std::string& path, const RingFileInfo& info) {
    File file(path, O_RDONLY | O_CLOEXEC);
    if (read_head(file) != info) throw RingFileError("the file changed while it was read");
    if (ring.layout().spec != info.spec || ring.control().capacity() < info.episodes)
        throw std::invalid_argument("ring: its episodes are not those of the file");
    Checksum checksum;
    for (std::int64_t k = 0; k < info.episodes; ++k) {
        const std::int64_t slot = ring.claim(writer);
        if (slot == SlotControl::kBusy) throw std::runtime_error("no slot of the ring is free");
        try {
            file.read(ring.at(slot, 0), ring.layout().bytes);
            checksum.add(ring.at(slot, 0), static_cast<std::size_t>(ring.layout().bytes));
            ring.restore_image(slot);
        } catch (const std::invalid_argument& error) {
            ring.control().abort(slot, writer);
            throw RingFileError("episode " + std::to_string(k) + ": " + error.what());
        } catch (...) {
            ring.control().abort(slot, writer);
            throw;
        }
        ring.control().publish(slot, writer);
    }
    require_body(checksum, info);
}

}  // namespace pyqmix
