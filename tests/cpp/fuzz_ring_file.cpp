// libFuzzer on saved rings and on the memory of shared ones: each is refused with a typed error, or
// can be sampled. Checksums are made right in most inputs, for what lies behind them to be reached.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "envs/smax/snapshot.h"
#include "replay/checksum.h"
#include "replay/member.h"
#include "replay/ring_file.h"

using namespace pyqmix;

namespace {

constexpr std::int64_t kMostBytes = 1 << 16;

const int kFile = memfd_create("fuzz", MFD_CLOEXEC);
const std::string kPath = "/proc/self/fd/" + std::to_string(kFile);

void sample(const std::shared_ptr<EpisodeRing>& ring) {
    const EpisodeSpec& s = ring->layout().spec;
    const Member sampler(ring, Role::sampler);
    UniformDraw draw(0);
    std::vector<std::int64_t> slots;
    ring->pin_uniform(sampler.id(), 4, draw, slots);
    BatchOut out;
    for (const std::int64_t slot : slots) out.steps = std::max(out.steps, ring->length(slot));
    const auto batch = slots.size(), steps = static_cast<std::size_t>(out.steps);
    const auto n = static_cast<std::size_t>(s.n_agents);
    std::vector<float> obs(batch * (steps + 1) * n * static_cast<std::size_t>(s.obs_dim));
    std::vector<float> state(batch * (steps + 1) * static_cast<std::size_t>(s.state_dim));
    std::vector<float> rewards(batch * steps);
    std::vector<std::int64_t> actions(batch * steps * n);
    const auto avail =
        std::make_unique<bool[]>(batch * (steps + 1) * n * static_cast<std::size_t>(s.n_actions));
    const auto terminated = std::make_unique<bool[]>(batch * steps);
    out.obs = obs.data();
    out.state = state.data();
    out.rewards = rewards.data();
    out.actions = actions.data();
    out.avail = avail.get();
    out.terminated = terminated.get();
    for (std::size_t b = 0; b < batch; ++b)
        ring->decode_episode(slots[b], static_cast<std::int64_t>(b), out);
    const auto finite = [](const std::vector<float>& values) {
        return find_not_finite(values.data(), static_cast<std::int64_t>(values.size())) < 0;
    };
    if (!finite(obs) || !finite(state)) __builtin_trap();
    for (const std::int64_t action : actions)
        if (action < 0 || action >= s.n_actions) __builtin_trap();
    ring->unpin(sampler.id(), slots);
}

void load() {
    try {
        const RingFileInfo info = verify_ring_file(kPath);
        if (EpisodeRing::bytes_for(EpisodeLayout(info.spec), info.capacity) > kMostBytes) return;
        const auto ring = std::make_shared<EpisodeRing>(info.spec, info.capacity);
        restore_ring(*ring, {info});
        const SlotControl& control = ring->control();
        if (control.sampleable() != info.episodes || control.tickets() != info.end)
            __builtin_trap();
        sample(ring);
    } catch (const RingFileError&) {
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const bool right = data[0] % 4 != 0;
    std::vector<std::uint8_t> bytes(data + 1, data + size);
    RingFileHead head;
    if (bytes.size() >= sizeof head) {
        std::memcpy(&head, bytes.data(), sizeof head);
        if (right) {
            head.body_checksum =
                checksum_of(bytes.data() + sizeof head, bytes.size() - sizeof head);
            head.head_checksum = checksum_of(&head, offsetof(RingFileHead, head_checksum));
            std::memcpy(bytes.data(), &head, sizeof head);
        }
        try {  // the head alone, beside a size of its own choice
            parse_ring_file(head, static_cast<std::int64_t>(head.body_checksum >> 1));
        } catch (const RingFileError&) {
        }
    }
    if (ftruncate(kFile, 0) != 0 ||
        pwrite(kFile, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        __builtin_trap();
    load();
    return 0;
}
