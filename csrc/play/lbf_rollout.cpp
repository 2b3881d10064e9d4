#include "play/lbf_rollout.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <utility>

#include "base/parallel.h"
#include "play/epsilon_greedy.h"

namespace pyqmix {
namespace {
constexpr std::int64_t kNoSlot = -1;
}

// Episodes [begin, end) of a play(), whose slots are claimed; workers take them one after another.
struct LbfRollout::Claimed {
    const Play& play;
    std::int64_t begin, end;
    std::vector<std::int64_t> slots;  // of each episode; kNoSlot once it is published
    std::int64_t lanes = 1;
    std::atomic<std::int64_t> next{begin};
    std::atomic<bool> failed{false};
};

// The worlds of one thread. Those that play stand first; one whose episode has ended takes the next
// or leaves its place to the last.
class LbfRollout::Worker {
   public:
    explicit Worker(const LbfRollout& rollout) : all_(rollout) {}

    void play(Claimed& claimed) {
        const Play& play = claimed.play;
        const bool needs_values = play.epsilon < 1.0;  // every coin is below 1
        const std::int64_t lanes = needs_values ? claimed.lanes : 1;
        prepare(lanes);
        playing_ = 0;
        while (playing_ < lanes && start(playing_, claimed)) ++playing_;
        while (playing_ > 0 && !claimed.failed.load(std::memory_order_relaxed)) {
            if (needs_values)
                all_.policy_->values(playing_, obs_.data(), hidden_.data(), qs_.data(), scratch_);
            for (std::int64_t k = 0; k < playing_;) {
                advance(k, play.epsilon);
                if (!lane(k).env.ended() || finish(k, claimed)) ++k;
            }
        }
    }

   private:
    struct Lane {
        explicit Lane(const LbfEnv& prototype) : env(prototype) {}
        LbfEnv env;
        numpy::Generator coins;
        std::int64_t index = 0, steps = 0;
        std::int64_t* slot = nullptr;
        double reward_sum = 0.0;
    };

    void prepare(std::int64_t lanes) {
        const EpisodeSpec spec = all_.env_.spec();
        n_ = spec.n_agents;
        obs_width_ = n_ * spec.obs_dim;
        qs_width_ = n_ * spec.n_actions;
        hidden_width_ = n_ * all_.policy_->hidden_dim();
        storage_ = spec.obs_storage;
        while (static_cast<std::int64_t>(lanes_.size()) < lanes) lanes_.emplace_back(all_.env_);
        obs_.resize(static_cast<std::size_t>(lanes * obs_width_));
        qs_.resize(static_cast<std::size_t>(lanes * qs_width_));
        hidden_.resize(static_cast<std::size_t>(lanes * hidden_width_));
        actions_.resize(static_cast<std::size_t>(n_));
        draws_.resize(static_cast<std::size_t>(2 * n_));
    }

    Lane& lane(std::int64_t k) { return lanes_[static_cast<std::size_t>(k)]; }

    // Starts the next episode in lane k; false if none is left.
    bool start(std::int64_t k, Claimed& claimed) {
        const std::int64_t index = claimed.next.fetch_add(1, std::memory_order_relaxed);
        if (index >= claimed.end) return false;
        Lane& to = lane(k);
        to.index = index;
        to.slot = &claimed.slots[static_cast<std::size_t>(index - claimed.begin)];
        to.steps = 0;
        to.reward_sum = 0.0;
        const std::int64_t episode = claimed.play.first + index;
        const auto place = static_cast<std::uint64_t>(episode);
        to.coins = numpy::Generator(stream_seeds(all_.seed_, Stream::exploration, place));
        try {
            to.env.start(episode_seed(all_.seed_, all_.stream_, place));
        } catch (const std::exception& error) {
            throw EpisodeError(episode, error.what());
        }
        std::fill_n(hidden_.begin() + k * hidden_width_, hidden_width_, 0.0f);
        if (all_.ring_) all_.ring_->start(*to.slot);
        show(k);
        return true;
    }

    // Chooses, executes and writes one step.
    void advance(std::int64_t k, double epsilon) {
        Lane& at = lane(k);
        choose(k, epsilon);
        at.env.step(actions_.data());
        const double reward = at.env.reward();
        at.reward_sum += reward;
        if (all_.ring_)
            all_.ring_->write_step(*at.slot, at.steps, actions_.data(), static_cast<float>(reward),
                                   at.env.terminated());
        ++at.steps;
        show(k);
    }

    // All agents' coins are drawn first, then what exploring ones would take.
    void choose(std::int64_t k, double epsilon) {
        Lane& at = lane(k);
        double* const coins = draws_.data();
        const double* const picks = coins + n_;
        const float* qs = &qs_[static_cast<std::size_t>(k * qs_width_)];
        std::uint8_t* const actions = actions_.data();
        const int n = static_cast<int>(n_);
        if (epsilon > 0.0)
            for (int draw = 0; draw < 2 * n; ++draw) coins[draw] = at.coins.random();
        for (int i = 0; i < n; ++i, qs += LbfWorld::kActions) {
            const std::uint8_t available = at.env.available(i);
            const bool explores = epsilon > 0.0 && coins[i] < epsilon;
            actions[i] =
                explores ? random_action(available, picks[i]) : greedy_action(available, qs);
        }
    }

    // Hands in lane k's episode; false if no other is left, and another lane has taken its place.
    bool finish(std::int64_t k, Claimed& claimed) {
        Lane& from = lane(k);
        claimed.play.returns[from.index] = from.reward_sum;
        claimed.play.lengths[from.index] = from.steps;
        publish(from, claimed.play.first + from.index);
        if (start(k, claimed)) return true;
        --playing_;
        if (k != playing_) {
            std::swap(from, lane(playing_));
            take_over(obs_, obs_width_, k);
            take_over(qs_, qs_width_, k);
            take_over(hidden_, hidden_width_, k);
        }
        return false;
    }

    void publish(Lane& lane, std::int64_t episode) {
        if (!all_.ring_) return;
        const std::int64_t slot = std::exchange(*lane.slot, kNoSlot);
        if (!all_.ring_->control().publish(slot, all_.writer_)) throw SlotTaken(episode);
    }

    // Lane k's part of `of` becomes the last lane's.
    void take_over(std::vector<float>& of, std::int64_t width, std::int64_t k) const {
        std::copy_n(of.begin() + playing_ * width, width, of.begin() + k * width);
    }

    // Writes what a lane's agents see: into its slot as it is stored, and for the policy.
    void show(std::int64_t k) {
        const Lane& at = lane(k);
        float* obs = &obs_[static_cast<std::size_t>(k * obs_width_)];
        if (!all_.ring_) return at.env.observe(obs);
        EpisodeRing& ring = *all_.ring_;
        std::byte* stored = ring.obs_at(*at.slot, at.steps);
        at.env.observe(storage_, stored);
        decode(storage_, stored, obs_width_, obs);
        std::byte* avail = ring.avail_at(*at.slot, at.steps);
        for (std::int64_t i = 0; i < n_; ++i)
            avail[i] = static_cast<std::byte>(at.env.available(static_cast<int>(i)));
        if (at.env.view().global_state) at.env.state(storage_, ring.state_at(*at.slot, at.steps));
    }

    const LbfRollout& all_;
    std::vector<Lane> lanes_;
    std::int64_t playing_ = 0, n_ = 0, obs_width_ = 0, qs_width_ = 0, hidden_width_ = 0;
    Storage storage_ = Storage::float32;
    std::vector<float> obs_, qs_, hidden_;
    std::vector<std::uint8_t> actions_;
    std::vector<double> draws_;
    Scratch scratch_;
};

namespace {

void require_fit(const EpisodeSpec& spec, const Policy& policy, const EpisodeRing* ring) {
    const NetworkSpec& sizes = policy.spec();
    if (sizes.n_agents != spec.n_agents || sizes.obs_dim != spec.obs_dim ||
        sizes.n_actions != spec.n_actions)
        throw std::invalid_argument("policy: its sizes are not those of the environment");
    if (ring && ring->layout().spec != spec)
        throw std::invalid_argument("ring: its episodes are not those of the environment");
}

}  // namespace

LbfRollout::LbfRollout(const LbfEnv& env, std::shared_ptr<Policy> policy, std::uint64_t seed,
                       Stream stream, EpisodeRing* ring, int writer)
    : env_(env),
      policy_(std::move(policy)),
      seed_(seed),
      stream_(stream),
      ring_(ring),
      writer_(writer) {
    require_fit(env_.spec(), *policy_, ring_);
}

LbfRollout::~LbfRollout() = default;

void LbfRollout::play(const Play& play) {
    // Half of the ring at a time, so that samplers may hold the other.
    const std::int64_t most =
        ring_ ? std::max<std::int64_t>(1, ring_->control().capacity() / 2) : play.count;
    for (std::int64_t begin = 0; begin < play.count; begin += most) {
        const std::int64_t end = std::min(begin + most, play.count);
        Claimed claimed{play, begin, end, std::vector<std::int64_t>(end - begin, kNoSlot)};
        try {
            claim(claimed);
            play_claimed(claimed);
        } catch (...) {
            for (const std::int64_t slot : claimed.slots)
                if (slot != kNoSlot) ring_->control().abort(slot, writer_);
            throw;
        }
    }
}

// In the order of the episodes, so that each lies in the same slot whoever plays it.
void LbfRollout::claim(Claimed& claimed) {
    if (!ring_) return;
    for (std::int64_t& slot : claimed.slots) {
        const std::int64_t free = ring_->claim(writer_);
        if (free == SlotControl::kBusy) throw RingBusy("no slot of the ring is free");
        slot = free;
    }
}

void LbfRollout::play_claimed(Claimed& claimed) {
    const Play& play = claimed.play;
    const std::int64_t count = claimed.end - claimed.begin;
    const auto threads = static_cast<int>(std::min<std::int64_t>(play.threads, count));
    claimed.lanes = std::min(play.lanes, (count + threads - 1) / threads);
    threads_used_ = threads;
    while (static_cast<int>(workers_.size()) < threads)
        workers_.push_back(std::make_unique<Worker>(*this));
    std::vector<std::exception_ptr> errors(static_cast<std::size_t>(threads));
    parallel_for(threads, threads, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t t = begin; t < end; ++t) try {
                workers_[static_cast<std::size_t>(t)]->play(claimed);
            } catch (...) {
                claimed.failed.store(true, std::memory_order_relaxed);
                errors[static_cast<std::size_t>(t)] = std::current_exception();
            }
    });
    for (const std::exception_ptr& error : errors)
        if (error) std::rethrow_exception(error);
}

}  // namespace pyqmix
