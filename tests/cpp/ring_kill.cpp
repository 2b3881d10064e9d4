// Processes that write and sample one shared ring are killed with SIGKILL at random moments, and
// replaced. Exits 1 if a batch ever held a torn episode, or if afterwards a slot cannot be claimed
// or a pin is left. Time decides only when a process is killed, never what is right.
//
//   ring_kill KILLS [SEED]
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <random>
#include <vector>

#include "replay/member.h"

using namespace pyqmix;

namespace {

constexpr std::int64_t kCapacity = 24, kBatch = 4, kWidth = 64, kLimit = 4;
constexpr int kWriters = 4, kSamplers = 2;

struct Told {  // by the children, in memory of their own
    std::atomic<long> torn{0}, sampled{0};
};

EpisodeSpec spec() {
    EpisodeSpec spec;
    spec.n_agents = spec.n_actions = spec.state_dim = 1;
    spec.obs_dim = kWidth;
    spec.episode_limit = kLimit;
    return spec;
}

float* obs_of(EpisodeRing& ring, std::int64_t slot) {
    return reinterpret_cast<float*>(ring.obs_at(slot, 0));
}

// All of an episode's numbers are the same one.
[[noreturn]] void write_forever(const std::shared_ptr<EpisodeRing>& ring, unsigned seed) {
    std::mt19937 random(seed);
    const Member member(ring, Role::writer);
    for (;;) {
        const std::int64_t slot = ring->claim(member.id());
        if (slot == SlotControl::kBusy) continue;
        const float number = static_cast<float>(random() >> 8);
        float* const obs = obs_of(*ring, slot);
        for (std::int64_t k = 0; k < (kLimit + 1) * kWidth; ++k) obs[k] = number;
        ring->finish(slot, kLimit);
        if (random() % 8 == 0)
            ring->control().abort(slot, member.id());
        else if (!ring->control().publish(slot, member.id()))
            std::abort();  // a live writer was treated as dead
    }
}

[[noreturn]] void sample_forever(const std::shared_ptr<EpisodeRing>& ring, unsigned seed,
                                 Told& told) {
    const Member member(ring, Role::sampler);
    UniformDraw draw(seed);
    std::vector<std::int64_t> slots;
    for (;;) {
        slots.clear();
        ring->pin_uniform(member.id(), kBatch, draw, slots);
        for (const std::int64_t slot : slots) {
            const float* const obs = obs_of(*ring, slot);
            for (std::int64_t k = 1; k < (kLimit + 1) * kWidth; ++k)
                if (obs[k] != obs[0]) {
                    told.torn.fetch_add(1);
                    break;
                }
            told.sampled.fetch_add(1);
        }
        ring->unpin(member.id(), slots);
    }
}

pid_t start(const std::shared_ptr<EpisodeRing>& ring, Told& told, int place, unsigned seed) {
    const pid_t parent = getpid(), child = fork();
    if (child != 0) return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // none outlives a parent that failed
    if (getppid() != parent) _exit(1);
    if (place < kWriters) write_forever(ring, seed);
    sample_forever(ring, seed, told);
}

void kill_and_wait(pid_t child) {
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        std::printf("a child ended by itself: status %d\n", status);
        std::exit(1);
    }
}

// Claims every slot at once, as one writer, and gives them back. Two laps: what is pinned by the
// dead is retired in the first, and swept in the second.
std::int64_t claimable(const std::shared_ptr<EpisodeRing>& ring) {
    const Member member(ring, Role::writer);
    std::vector<std::int64_t> slots;
    for (int busy = 0; busy < 2 && static_cast<std::int64_t>(slots.size()) < kCapacity;) {
        const std::int64_t slot = ring->claim(member.id());
        if (slot == SlotControl::kBusy)
            ++busy;
        else
            slots.push_back(slot);
    }
    for (const std::int64_t slot : slots) ring->control().abort(slot, member.id());
    return static_cast<std::int64_t>(slots.size());
}

}  // namespace

int main(int count, char** arguments) {
    const long kills = count > 1 ? std::atol(arguments[1]) : 500;
    std::mt19937 random(count > 2 ? static_cast<unsigned>(std::atol(arguments[2])) : 0u);
    void* const memory =
        mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    Told& told = *new (memory) Told;
    const auto ring = std::make_shared<EpisodeRing>(spec(), kCapacity, true);
    std::vector<pid_t> children;
    for (int place = 0; place < kWriters + kSamplers; ++place)
        children.push_back(start(ring, told, place, static_cast<unsigned>(random())));
    for (long killed = 0; killed < kills; ++killed) {
        usleep(static_cast<useconds_t>(random() % 4000));
        const auto place = static_cast<int>(random() % children.size());
        kill_and_wait(children[static_cast<std::size_t>(place)]);
        children[static_cast<std::size_t>(place)] =
            start(ring, told, place, static_cast<unsigned>(random()));
    }
    for (const pid_t child : children) kill_and_wait(child);
    std::int64_t pins = 0;
    const std::int64_t claimed = claimable(ring);
    for (std::int64_t slot = 0; slot < kCapacity; ++slot)
        pins += (ring->control().word(slot) & SlotWord::kPins) != 0;
    const SlotControl::Shared& shared = ring->control().shared();
    std::printf(
        "%ld kills: %llu published, %ld sampled, %llu revoked, %ld torn, %lld of %lld slots "
        "claimable, %lld pinned\n",
        kills, static_cast<unsigned long long>(shared.published.value.load()), told.sampled.load(),
        static_cast<unsigned long long>(shared.revoked.value.load()), told.torn.load(),
        static_cast<long long>(claimed), static_cast<long long>(kCapacity),
        static_cast<long long>(pins));
    const bool used = shared.published.value.load() > 0 && told.sampled.load() > 0;
    return told.torn.load() > 0 || claimed != kCapacity || pins > 0 || !used;
}
