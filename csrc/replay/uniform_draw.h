// Draws distinct slots, uniform over those that can be pinned.
#pragma once

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace pyqmix {

// A uniform integer in [0, bound), the same on every platform (Lemire's method, arXiv:1805.10941).
inline std::uint64_t uniform_below(std::mt19937_64& random, std::uint64_t bound) {
    unsigned __int128 product = static_cast<unsigned __int128>(random()) * bound;
    if (static_cast<std::uint64_t>(product) < bound) {
        const std::uint64_t threshold = (0 - bound) % bound;
        while (static_cast<std::uint64_t>(product) < threshold)
            product = static_cast<unsigned __int128>(random()) * bound;
    }
    return static_cast<std::uint64_t>(product >> 64);
}

// Belongs to one sampler, one thread at a time.
class UniformDraw {
   public:
    explicit UniformDraw(std::uint64_t seed) : random_(seed) {}

    // Appends up to `batch` distinct slots of [0, touched) for which pin(slot) is true. Fewer mean
    // that no other slot can be pinned now. Depends on the seed, the draws before, and pin alone.
    template <typename Pin>
    void draw(std::int64_t touched, std::int64_t batch, Pin&& pin,
              std::vector<std::int64_t>& slots) {
        // A Fisher-Yates shuffle that stops early and undoes its swaps, so that the cost of a draw
        // depends on the slots it takes, not on their number.
        while (static_cast<std::int64_t>(order_.size()) < touched)
            order_.push_back(static_cast<std::uint32_t>(order_.size()));
        const auto count = static_cast<std::size_t>(touched);
        swaps_.clear();
        while (swaps_.size() < count && static_cast<std::int64_t>(slots.size()) < batch) {
            const std::size_t drawn = swaps_.size();
            const std::uint64_t other = drawn + uniform_below(random_, count - drawn);
            swaps_.push_back(static_cast<std::uint32_t>(other));
            std::swap(order_[drawn], order_[other]);
            if (pin(std::int64_t{order_[drawn]})) slots.push_back(order_[drawn]);
        }
        for (std::size_t drawn = swaps_.size(); drawn-- > 0;)
            std::swap(order_[drawn], order_[swaps_[drawn]]);
    }

    // All that the next draws depend on, besides pin.
    const std::mt19937_64& random() const { return random_; }
    void set_random(const std::mt19937_64& random) { random_ = random; }

   private:
    std::mt19937_64 random_;
    std::vector<std::uint32_t> order_;  // the identity between draws
    std::vector<std::uint32_t> swaps_;
};

}  // namespace pyqmix
